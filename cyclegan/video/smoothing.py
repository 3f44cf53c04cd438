"""Temporal smoothing: frames blended along their motion. It lowers flicker by half and more, and costs sharpness.

Where a translation keeps its source's own detail, only the change that it makes is blended, which costs none.
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

    `weight`, at least 0 and below 1, is that of the output before: 0.5 about halves flicker. With `of_change`, the
    differences of outputs to their sources are blended instead: the sources' own detail stays as it is.
    """

    def __init__(self, weight: float, *, of_change: bool = False) -> None:
        if not 0 <= weight < 1:
            raise ValueError(f"weight is {weight}; it must be at least 0 and below 1")
        self.weight, self.of_change = weight, of_change
        self._last: tuple[FramePixels, Float32[np.ndarray, "_h _w 3"]] | None = None  # source, shrunk, and blended

    def __call__(self, source: FramePixels, output: OutputPixels) -> OutputPixels:
        """Return the output for the next frame of the source, smoothed; another size than before begins anew."""
        white = np.iinfo(output.dtype).max
        base = np.float32(white / 255) * source if self.of_change else np.float32(0)
        small, blended = shrink_frame(source), output - base
        if self._last is not None and (small.shape, blended.shape) == tuple(frame.shape for frame in self._last):
            last_small, last_blended = self._last
            motion = Motion.between(last_small, small)
            change = np.abs(small - motion.warp(last_small.astype(np.float32))).mean(-1)
            unchanged = np.exp(-((cv2.GaussianBlur(change, (0, 0), 2) / CHANGE_SCALE) ** 2)) * motion.visible
            weight = self.weight * cv2.resize(unchanged, blended.shape[1::-1])
            blended += weight[..., None] * (motion.warp(last_blended) - blended)
        self._last = small, blended
        return (blended + base).round().clip(0, white).astype(output.dtype)

    def state_dict(self) -> SavedArrays:
        """Return the frame before: of the source, and what was blended."""
        return {} if self._last is None else dict(zip(("source", "output"), self._last, strict=True))

    def load_state_dict(self, state: SavedArrays) -> None:
        """Continue after the frame at which `state` was saved."""
        self._last = (state["source"], state["output"]) if state else None
