"""Masks: which part of a picture is translated."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyclegan.errors import DataError, PictureError, UsageError
from cyclegan.images import FORMAT_OF, MAX_PIXELS, Pixels, blended, read_picture, resized, with_channels
from cyclegan.text import printable
from cyclegan.translation.targets import Target


@dataclass(frozen=True)
class TranslationMask:
    """How much of each pixel is translated: white all of it, black nothing."""

    values: Pixels  # h w 1, of any size

    def apply(self, original: Pixels, output: Pixels) -> Pixels:
        """Return the output where the mask is white, the original where it is black, and a blend in between.

        Both have one size, to which the mask is resized; the original gets the channels of the output.
        """
        height, width = output.shape[:2]
        weights = resized(self.values, width, height) / np.float32(np.iinfo(self.values.dtype).max)
        return blended(with_channels(original, output.shape[2]), output, weights)


def check_mask(mask: Path | None) -> None:
    """Raise an error if there is no such file or folder of masks."""
    if mask is not None and not mask.exists():
        raise DataError(f"there is no mask {printable(mask)}.", "Name a picture, or a folder of them, with --mask.")


def check_mask_stays(mask: Path | None, outputs: Iterable[Path]) -> None:
    """Raise an error if an output would replace a mask, or lie among masks, where it would be taken for one."""
    if mask is None:
        return
    masks = mask.resolve()
    for output in outputs:
        if output.resolve().is_relative_to(masks):
            raise UsageError("would be written over the masks.", "Choose another --output.", output)


def mask_of(target: Target, masks: Path, max_pixels: int = MAX_PIXELS) -> TranslationMask:
    """Read the mask of a target: `masks` itself or, in a folder, the picture of the same name, with any suffix.

    Transparent parts of a mask count as black. A mask that is missing or cannot be read is a `PictureError`.
    """
    path = _same_name(target, masks) if masks.is_dir() else masks
    try:
        picture = read_picture(path, max_pixels)
    except PictureError as error:
        raise PictureError(f"has a mask that cannot be read: {error}", error.hint, target.source) from error
    values = with_channels(picture.pixels, 1)
    if picture.alpha is not None:
        alpha = picture.alpha[..., None] / np.float32(np.iinfo(picture.alpha.dtype).max)
        values = np.rint(values * alpha).astype(values.dtype)
    return TranslationMask(values)


def _same_name(target: Target, masks: Path) -> Path:
    name = target.path.relative_to(target.root).parent / target.source.stem
    suffixes = (target.source.suffix, *FORMAT_OF, *map(str.upper, FORMAT_OF))
    for suffix in suffixes:
        path = masks / f"{name}{suffix}"
        if suffix.lower() in FORMAT_OF and path.is_file():
            return path
    raise PictureError(
        f"has no mask {printable(masks / name)}, with a picture's suffix.",
        "Add it: white where the picture is to be translated.",
        target.source,
    )
