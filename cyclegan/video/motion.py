"""What moves between two frames: where every pixel of one was in the one before it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from cyclegan.video.frames import Pixels

LONG_SIDE = 512  # pixels, of the frames in which motion is looked for; more only takes longer
SMALLEST = 12  # pixels, of a side; in less no motion can be looked for
AGREEING = 1.0  # pixels by which motion forth and back may differ; beyond, something was hidden or came to light

Vectors = Float32[np.ndarray, "h w 2"]  # right and down, pixels


@dataclass(frozen=True)
class Motion:
    """The way back from each pixel of a frame to where it was in the one before."""

    back: Vectors
    followed: Bool[np.ndarray, "h w"]  # pixels that were there to be seen

    @classmethod
    def between(cls, before: Pixels, now: Pixels) -> "Motion":
        """Find the motion between two frames of one size; tiny ones are taken for still."""
        if min(now.shape[:2]) < SMALLEST:
            return cls(np.zeros((*now.shape[:2], 2), np.float32), np.ones(now.shape[:2], bool))
        finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        grey_before, grey_now = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, now))
        back, forth = finder.calc(grey_now, grey_before, None), finder.calc(grey_before, grey_now, None)
        places = _places(back)
        within = ((places >= 0) & (places <= (now.shape[1] - 1, now.shape[0] - 1))).all(-1)
        return cls(back, within & (np.linalg.norm(back + _taken(forth, places), axis=-1) <= AGREEING))

    def moved(self, before: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
        """Return the frame before, at any size, with everything where it is now."""
        rows, columns = before.shape[:2]
        scale = np.array([columns / self.back.shape[1], rows / self.back.shape[0]], np.float32)
        return _taken(before, _places(cv2.resize(self.back, (columns, rows)) * scale))


def shrunk(frame: Pixels, like: Pixels | None = None) -> Pixels:
    """Return a frame at the size at which motion is looked for, its own or another's."""
    rows, columns = (frame if like is None else like).shape[:2]
    scale = min(1.0, LONG_SIDE / max(rows, columns))
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))


def _places(back: Vectors) -> Vectors:
    """Return where each pixel was, column and row."""
    rows, columns = np.mgrid[: back.shape[0], : back.shape[1]].astype(np.float32)
    return np.asarray(back + np.stack([columns, rows], -1))


def _taken(values: Float32[np.ndarray, "h w c"], places: Vectors) -> Float32[np.ndarray, "h w c"]:
    """Return values read, between pixels, at places."""
    taken = cv2.remap(values, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken)
