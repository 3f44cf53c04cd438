"""The scale at which pictures are translated, compared with that of the model's training."""

from collections.abc import Sequence
from contextlib import suppress
from statistics import median

from PIL import Image

from cyclegan.data.folders import evenly_spaced
from cyclegan.translation.targets import Target, is_clip

EXAMPLES = 20  # pictures whose sizes are read, evenly chosen
FAR = 4  # times as large, or as small, as in training


def scale_note(targets: Sequence[Target], size: int, trained: int) -> str:
    """Say if pictures are translated far from the scale of training; empty where they are not.

    `size` is the short side asked for, 0 for that of the pictures; `trained` that of the training images; in pixels.
    """
    sides = [size] if size else short_sides(targets)
    if not sides or not trained or trained / FAR < (side := round(median(sides))) < trained * FAR:
        return ""
    times, than = (side / trained, "larger") if side > trained else (trained / side, "smaller")
    return (
        f"pictures with a short side of {side} pixels are translated by a model trained at {trained}: they show things "
        f"some {times:.0f} times {than} than what it has learned. If the results are poor, try --size {trained}."
    )


def short_sides(targets: Sequence[Target]) -> list[int]:
    """Return the short sides of some of the pictures, in pixels, from their headers alone."""
    sides = []
    for target in evenly_spaced([target for target in targets if not is_clip(target)], EXAMPLES):
        with (
            suppress(Exception),
            Image.open(target.source) as image,
        ):  # what cannot be read is told of when its turn comes
            sides.append(min(image.size))
    return sides
