"""How much a redrawn clip flickers beyond its source: the warped difference between neighbouring frames.

The motion between two frames of the source is taken away from both clips. What then still changes is, in the source,
light and the camera's grain; in what was drawn from it, these and flicker.
"""

import math

import numpy as np

from cyclegan.video.frames import FrameState, Pixels, State
from cyclegan.video.motion import Motion, shrunk

ENOUGH = 0.25  # of the pixels that must be followed; fewer, and the two frames are of different scenes


class Flicker(FrameState):
    """Measures a clip against its source, frame by frame; keeps only the last of each."""

    def __init__(self) -> None:
        self._sums = np.zeros(2)  # of the changes in the source and in the output, grey levels
        self._compared = 0
        self._last: tuple[Pixels, Pixels] | None = None

    def add(self, source: Pixels, output: Pixels) -> None:
        """Take the next frame, uint8 h w 3, of the source and what was drawn from it, of whatever size."""
        now = shrunk(source), shrunk(output, like=source)
        if self._last is not None:
            motion = Motion.between(self._last[0], now[0])
            if motion.followed.mean() >= ENOUGH:
                self._sums += [change(*pair, motion) for pair in zip(self._last, now, strict=True)]
                self._compared += 1
        self._last = now

    @property
    def source(self) -> float:
        """Mean change between neighbours in the source, grey levels."""
        return float(self._sums[0] / max(self._compared, 1))

    @property
    def output(self) -> float:
        """Mean change between neighbours in the output, grey levels."""
        return float(self._sums[1] / max(self._compared, 1))

    def ratio(self) -> float:
        """Return the output's change as a multiple of the source's: 1 is as steady as the source."""
        if self.source == 0:
            return 1.0 if self.output == 0 else math.inf
        return self.output / self.source

    def state_dict(self) -> State:
        """Return what was measured, and the frame before, of the source and of the output."""
        frames = {} if self._last is None else dict(zip(("source", "output"), self._last, strict=True))
        return {"sums": self._sums.copy(), "compared": np.array(self._compared), **frames}

    def load_state_dict(self, state: State) -> None:
        """Continue after the frame after which `state` was returned."""
        if state:
            self._sums, self._compared = state["sums"].copy(), int(state["compared"])
            self._last = (state["source"], state["output"]) if "source" in state else None


def change(before: Pixels, now: Pixels, motion: Motion) -> float:
    """Return the mean change of the pixels that can be followed, moved along, grey levels."""
    return float(np.abs(now - motion.moved(before.astype(np.float32)))[motion.followed].mean())
