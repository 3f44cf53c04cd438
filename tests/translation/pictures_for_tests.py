"""Pictures, and what becomes of them; a generator that changes nothing."""

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import torch
from PIL import Image, TiffImagePlugin

from cyclegan import Translator
from cyclegan.images import read_picture, with_bits
from cyclegan.models import UNetGenerator
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets


class Idle(UNetGenerator):
    """The generator that changes nothing."""

    stride, min_size = 4, 8

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return them."""
        return images


def smooth(height: int = 24, width: int = 36, channels: int = 3) -> np.ndarray:
    """Return soft colours, which lossy formats keep."""
    down, across = np.mgrid[0:height, 0:width] / [[[height]], [[width]]]
    waves = [120 + 100 * np.sin(3 * down + place) * np.cos(2 * across - place) for place in range(channels)]
    return np.stack(waves, axis=-1).round().astype(np.uint8)


def transparent(image: Image.Image) -> Image.Image:
    alpha = np.tile(np.linspace(0, 255, image.width).round().astype(np.uint8), (image.height, 1))
    image.putalpha(Image.fromarray(alpha))
    return image


def picture(mode: str) -> Image.Image:
    """Return a picture of any mode."""
    colours = Image.fromarray(smooth())
    if mode in ("RGBA", "LA"):
        return transparent(colours.convert(mode[:-1]))
    if mode == "I;16":
        return Image.fromarray(smooth()[..., 0].astype(np.uint16) * 257 + 3)
    return colours.convert(mode)


def translate(source: Path, translator: Translator, **manner: Any) -> Path:
    """Translate one file and return what it became."""
    [target] = plan_targets([source], "zebras", output=source.parent / "out")
    outcome = translate_targets([target], TranslateJob(translator, TranslateOptions(**manner)))
    assert not outcome.failed, outcome.failed
    return target.path


def difference(one: Path, other: Path) -> float:
    """Return the mean difference of two pictures where they can be seen, in grey levels of 255."""
    before, after = (read_picture(path) for path in (one, other))
    visible = np.ones(before.pixels.shape[:2]) if before.alpha is None else before.alpha > 0
    levels = [with_bits(picture.pixels, 8).astype(float) for picture in (before, after)]
    return float(np.abs(levels[0] - levels[1])[visible > 0].mean())


def deep_file(levels: np.ndarray, suffix: str, encode: Any) -> bytes:
    if suffix == "png":
        return encode(levels[..., 0] if levels.shape[2] == 1 else levels)
    file = io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    raw = levels.astype("<u2").tobytes()
    values = {
        256: levels.shape[1], 257: levels.shape[0], 258: (16,) * levels.shape[2], 259: 1,
        262: 2 if levels.shape[2] > 1 else 1, 273: (0,), 277: levels.shape[2], 278: levels.shape[0], 279: (len(raw),),
    }  # fmt: skip
    for tag, value in values.items():
        tags[tag] = value
    if levels.shape[2] == 4:
        tags[338] = (2,)
    tags.save(file)
    return file.getvalue() + raw


def read_levels(path: Path) -> np.ndarray:
    """Return 16-bit levels as they stand in a file, by another reader than ours."""
    decode = imagecodecs.png_decode if path.suffix == ".png" else imagecodecs.tiff_decode
    levels = decode(path.read_bytes())
    assert levels.dtype == np.uint16
    return levels[..., None] if levels.ndim == 2 else levels
