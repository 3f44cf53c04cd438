"""How much a redrawn clip flickers beyond its source: the warped difference between neighbouring frames.

The motion between two frames of the source is taken away from both clips. What then still changes is, in the source,
light and the camera's grain; in what was drawn from it, these and flicker.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from cyclegan.translation.frames import Pixels

LONG_SIDE = 512  # pixels, of the frames that are compared; more only takes longer
AGREEING = 1.0  # pixels by which motion forth and back may differ; beyond, something was hidden or came to light
ENOUGH = 0.25  # of the pixels that must be followed; fewer, and the two frames are of different scenes

Motion = Float32[np.ndarray, "h w 2"]


class Flicker:
    """Measures a clip against its source, frame by frame; keeps only the last of each."""

    def __init__(self) -> None:
        self._sums = np.zeros(2)  # of the changes in the source and in the output, grey levels
        self._compared = 0
        self._last: tuple[Pixels, Pixels] | None = None
        self._finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def add(self, source: Pixels, output: Pixels) -> None:
        """Take the next frame, uint8 h w 3, of the source and what was drawn from it, of whatever size."""
        height, width = source.shape[:2]
        scale = min(1.0, LONG_SIDE / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        now = (
            cv2.resize(source, size, interpolation=cv2.INTER_AREA),
            cv2.resize(output, size, interpolation=cv2.INTER_AREA),
        )
        if self._last is not None:
            self._compare(self._last, now)
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

    def _compare(self, before: tuple[Pixels, Pixels], now: tuple[Pixels, Pixels]) -> None:
        grey_before, grey_now = (cv2.cvtColor(pair[0], cv2.COLOR_RGB2GRAY) for pair in (before, now))
        back = self._finder.calc(grey_now, grey_before, None)
        forth = self._finder.calc(grey_before, grey_now, None)
        followed = agreeing(back, forth)
        if followed.mean() < ENOUGH:
            return
        self._sums += [change(old, new, back, followed) for old, new in zip(before, now, strict=True)]
        self._compared += 1


def agreeing(back: Motion, forth: Motion) -> Bool[np.ndarray, "h w"]:
    """Tell which pixels of a frame came from within the one before it, by both motions (pixels: right, down)."""
    height, width = back.shape[:2]
    places = _places(back)
    within = (places >= 0).all(-1) & (places[..., 0] <= width - 1) & (places[..., 1] <= height - 1)
    apart = np.linalg.norm(back + _taken(forth, places), axis=-1)
    return np.asarray(within & (apart <= AGREEING))


def change(before: Pixels, now: Pixels, back: Motion, followed: Bool[np.ndarray, "h w"]) -> float:
    """Return the mean change of the pixels that can be followed, moved along, grey levels."""
    moved = _taken(before.astype(np.float32), _places(back))
    return float(np.abs(now - moved)[followed].mean())


def _places(back: Motion) -> Motion:
    """Return where each pixel came from, column and row."""
    rows, columns = np.mgrid[: back.shape[0], : back.shape[1]].astype(np.float32)
    return np.asarray(back + np.stack([columns, rows], -1))


def _taken(values: Float32[np.ndarray, "h w c"], places: Motion) -> Float[np.ndarray, "h w c"]:
    """Return values read, between pixels, at places of column and row."""
    taken = cv2.remap(values, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken)
