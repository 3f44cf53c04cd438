"""Temporal smoothing: frames blended along their motion. It lowers flicker by half and more, and costs sharpness.

Instance statistics shared over time were tried first, and change little: docs/experiments.md.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from cyclegan.video.frames import FramePixels, FrameState, SavedArrays
from cyclegan.video.motion import Motion, shrink_frame

OutputPixels = UInt8[np.ndarray, "_h _w 3"] | UInt16[np.ndarray, "_h _w 3"]

CHANGE_SCALE = 20.0  # grey levels of change in the source at which blending falls to 1/e


class TemporalSmoother(FrameState):
    """Blends every output with the one before it, moved along, wherever the source has not changed otherwise.

    `keep`, at least 0 and below 1, is the weight of the output before: 0.5 about halves flicker.
    """

    def __init__(self, keep: float) -> None:
        if not 0 <= keep < 1:
            raise ValueError(f"keep is {keep}; it must be at least 0 and below 1")
        self.keep = keep
        self._last: tuple[FramePixels, Float32[np.ndarray, "_h _w 3"]] | None = None  # source, shrunk, and output

    def __call__(self, source: FramePixels, output: OutputPixels) -> OutputPixels:
        """Return the output for the next frame of the source, smoothed; another size than before begins anew."""
        small, smoothed = shrink_frame(source), output.astype(np.float32)
        if self._last is not None and (small.shape, smoothed.shape) == tuple(frame.shape for frame in self._last):
            last_small, last_smoothed = self._last
            motion = Motion.between(last_small, small)
            change = np.abs(small - motion.warp(last_small.astype(np.float32))).mean(-1)
            unchanged = np.exp(-((cv2.GaussianBlur(change, (0, 0), 2) / CHANGE_SCALE) ** 2)) * motion.visible
            weight = self.keep * cv2.resize(unchanged, smoothed.shape[1::-1])
            smoothed += weight[..., None] * (motion.warp(last_smoothed) - smoothed)
        self._last = small, smoothed
        return smoothed.round().clip(0, np.iinfo(output.dtype).max).astype(output.dtype)

    def state_dict(self) -> SavedArrays:
        """Return the frame before, of the source and of the output."""
        return {} if self._last is None else dict(zip(("source", "output"), self._last, strict=True))

    def load_state_dict(self, state: SavedArrays) -> None:
        """Continue after the frame at which `state` was saved."""
        self._last = (state["source"], state["output"]) if state else None
