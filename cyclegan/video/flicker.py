"""How much a video flickers beyond its source: the warped difference between neighbouring frames.

The motion between two frames of the source is compensated in source and output. The change that remains is, in the
source, that of light and the camera's grain; in the output, that and flicker.
"""

import math

import numpy as np

from cyclegan.video.frames import FramePixels, FrameState, SavedArrays
from cyclegan.video.motion import Motion, shrink_frame

MIN_VISIBLE = 0.25  # share of the pixels whose motion is known; with fewer, the frames are of different scenes


class Flicker(FrameState):
    """Measures an output against its source, frame by frame; keeps only the last of each."""

    def __init__(self) -> None:
        self._sums = np.zeros(2)  # of the changes in source and output, grey levels
        self._pairs = 0  # of neighbouring frames
        self._last: tuple[FramePixels, FramePixels] | None = None  # source and output, shrunk

    def add(self, source: FramePixels, output: FramePixels) -> None:
        """Take the next frame, uint8 h w 3, of source and output, of any sizes."""
        frames = shrink_frame(source), shrink_frame(output, like=source)
        if self._last is not None:
            motion = Motion.between(self._last[0], frames[0])
            if motion.visible.mean() >= MIN_VISIBLE:
                self._sums += [change(*pair, motion) for pair in zip(self._last, frames, strict=True)]
                self._pairs += 1
        self._last = frames

    @property
    def source(self) -> float:
        """Mean change between neighbours in the source, grey levels."""
        return float(self._sums[0] / max(self._pairs, 1))

    @property
    def output(self) -> float:
        """Mean change between neighbours in the output, grey levels."""
        return float(self._sums[1] / max(self._pairs, 1))

    def ratio(self) -> float:
        """Return the output's change as a multiple of the source's: with 1 the output does not flicker."""
        if self.source == 0:
            return 1.0 if self.output == 0 else math.inf
        return self.output / self.source

    def state_dict(self) -> SavedArrays:
        """Return the sums, and the frame before, of source and output."""
        frames = {} if self._last is None else dict(zip(("source", "output"), self._last, strict=True))
        return {"sums": self._sums.copy(), "pairs": np.array(self._pairs), **frames}

    def load_state_dict(self, state: SavedArrays) -> None:
        """Continue after the frame at which `state` was saved."""
        if state:
            self._sums, self._pairs = state["sums"].copy(), int(state["pairs"])
            self._last = (state["source"], state["output"]) if "source" in state else None


def change(before: FramePixels, after: FramePixels, motion: Motion) -> float:
    """Return the mean change of the visible pixels, moved along, grey levels."""
    return float(np.abs(after - motion.warp(before.astype(np.float32)))[motion.visible].mean())
