"""A steadier clip: frames blended along their motion. This lowers flicker by half and more, and softens what was drawn.

Instance statistics shared over time were tried first, and change little: docs/experiments.md.
"""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from cyclegan.video.frames import FrameState, Pixels, State
from cyclegan.video.motion import Motion, shrunk

Drawn = UInt8[np.ndarray, "_h _w 3"] | UInt16[np.ndarray, "_h _w 3"]

SAME = 20.0  # grey levels by which a place in the source may change and still count as the same thing


class TemporalSmoother(FrameState):
    """Blends every redrawn frame with the one before it, moved along, wherever the source shows the same thing.

    `keep`, at least 0 and below 1, is how much of the frame before is in the next: 0.5 about halves what flickers.
    """

    def __init__(self, keep: float) -> None:
        if not 0 <= keep < 1:
            raise ValueError(f"keep is {keep}; it must be at least 0 and below 1")
        self.keep = keep
        self._last: tuple[Pixels, Float32[np.ndarray, "_h _w 3"]] | None = None

    def __call__(self, source: Pixels, output: Drawn) -> Drawn:
        """Take the next frame of the source and what was drawn from it; return the latter, steadier.

        A frame of another size than the one before it begins anew.
        """
        seen, drawn = shrunk(source), output.astype(np.float32)
        if self._last is not None and (seen.shape, drawn.shape) == tuple(frame.shape for frame in self._last):
            seen_before, drawn_before = self._last
            motion = Motion.between(seen_before, seen)
            changed = np.abs(seen - motion.moved(seen_before.astype(np.float32))).mean(-1)
            same = np.exp(-((cv2.GaussianBlur(changed, (0, 0), 2) / SAME) ** 2)) * motion.followed
            weight = self.keep * cv2.resize(same, drawn.shape[1::-1])
            drawn += weight[..., None] * (motion.moved(drawn_before) - drawn)
        self._last = seen, drawn
        return drawn.round().clip(0, np.iinfo(output.dtype).max).astype(output.dtype)

    def state_dict(self) -> State:
        """Return the frame before, of the source and as it was drawn."""
        return {} if self._last is None else dict(zip(("seen", "drawn"), self._last, strict=True))

    def load_state_dict(self, state: State) -> None:
        """Continue after the frame after which `state` was returned."""
        self._last = (state["seen"], state["drawn"]) if state else None
