"""Optical flow between two frames: where every pixel was in the frame before."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from cyclegan.video.frames import FramePixels

LONG_SIDE = 512  # pixels, of the frames whose motion is computed; more only takes longer
MIN_FLOW_SIDE = 12  # pixels; optical flow needs that many
MAX_DISAGREEMENT = 1.0  # pixels, between forward and backward flow; more means an occlusion

Vectors = Float32[np.ndarray, "h w 2"]  # right and down, pixels


@dataclass(frozen=True)
class Motion:
    """The backward flow from each pixel of a frame to where it was in the frame before."""

    backward: Vectors
    visible: Bool[np.ndarray, "h w"]  # pixels that are in the frame before, too

    @classmethod
    def between(cls, before: FramePixels, after: FramePixels) -> "Motion":
        """Compute the motion between two frames of one size; tiny ones count as still."""
        if min(after.shape[:2]) < MIN_FLOW_SIDE:
            return cls(np.zeros((*after.shape[:2], 2), np.float32), np.ones(after.shape[:2], bool))
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        grey_before, grey_after = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
        backward, forward = flow.calc(grey_after, grey_before, None), flow.calc(grey_before, grey_after, None)
        positions = _positions(backward)
        inside = ((positions >= 0) & (positions <= (after.shape[1] - 1, after.shape[0] - 1))).all(-1)
        disagreement = np.linalg.norm(backward + _sample(forward, positions), axis=-1)
        return cls(backward, inside & (disagreement <= MAX_DISAGREEMENT))

    def warp(self, before: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
        """Return the frame before, of any size, moved to the frame after."""
        rows, columns = before.shape[:2]
        scale = np.array([columns / self.backward.shape[1], rows / self.backward.shape[0]], np.float32)
        return _sample(before, _positions(cv2.resize(self.backward, (columns, rows)) * scale))


def shrink_frame(frame: FramePixels, like: FramePixels | None = None) -> FramePixels:
    """Return a frame at the size at which motion is computed, for itself or for another frame."""
    rows, columns = (frame if like is None else like).shape[:2]
    scale = min(1.0, LONG_SIDE / max(rows, columns))
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))


def _positions(backward: Vectors) -> Vectors:
    """Return the column and row of each pixel in the frame before."""
    rows, columns = np.mgrid[: backward.shape[0], : backward.shape[1]].astype(np.float32)
    return np.asarray(backward + np.stack([columns, rows], -1))


def _sample(values: Float32[np.ndarray, "h w c"], positions: Vectors) -> Float32[np.ndarray, "h w c"]:
    """Return values at positions between pixels."""
    sampled = cv2.remap(values, positions[..., 0], positions[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled)
