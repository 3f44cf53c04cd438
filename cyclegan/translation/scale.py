"""The scale at which pictures are translated: resizing to --size, and a note if it is far from that of the training."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

from PIL import Image

from cyclegan.data.folders import evenly_spaced
from cyclegan.errors import PictureError
from cyclegan.images import Pixels, resized, size_with_short_side
from cyclegan.translation.job import TranslateOptions
from cyclegan.translation.targets import Target

SAMPLE_COUNT = 20  # pictures whose sizes are read, evenly chosen
MAX_RATIO = 4  # to the size of the training images, in both directions, without a note


def scaled_to_option(pixels: Pixels, source: Path, options: TranslateOptions) -> Pixels:
    """Return pixels at the size of the output; a size beyond the limit is a `PictureError` that names the source."""
    if options.size is None:
        return pixels
    height, width = size_with_short_side(pixels.shape[0], pixels.shape[1], options.size)
    if height * width > options.max_pixels:
        raise PictureError(f"would have {width} x {height} pixels.", "Choose a smaller --size.", source)
    return resized(pixels, width, height)


def scale_note(targets: Sequence[Target], size: int | None, trained: int) -> str:
    """Return a message if pictures are translated far from the scale of training, else an empty one.

    `size` is the short side asked for, None for that of the pictures; `trained` that of the training images; in pixels.
    """
    sides = [size] if size else short_sides(targets)
    if not sides or not trained or trained / MAX_RATIO < (side := round(median(sides))) < trained * MAX_RATIO:
        return ""
    times, than = (side / trained, "larger") if side > trained else (trained / side, "smaller")
    return (
        f"pictures with a short side of {side} pixels are translated by a model trained at {trained}: they show things "
        f"some {times:.0f} times {than} than what it has learned. If the results are poor, try --size {trained}."
    )


def short_sides(targets: Sequence[Target]) -> list[int]:
    """Return the short sides of some of the pictures, in pixels, from their headers alone."""
    sides = []
    for target in evenly_spaced([target for target in targets if not target.is_video], SAMPLE_COUNT):
        # errors are reported when the picture is translated
        with suppress(Exception), Image.open(target.source) as image:
            sides.append(min(image.size))
    return sides
