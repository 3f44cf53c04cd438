"""Test pictures, and their translation by a generator that changes nothing."""

import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import torch
from PIL import Image

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
        """Return the images as they are."""
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


def translate(source: Path, translator: Translator, **options: Any) -> Path:
    """Translate one file and return the output."""
    [target] = plan_targets([source], "zebras", output=source.parent / "out")
    outcome = translate_targets([target], TranslateJob(translator, TranslateOptions(**options)))
    assert not outcome.failed, outcome.failed
    return target.path


def difference(one: Path, other: Path) -> float:
    """Return the mean difference of two pictures where they are visible, of 255."""
    before, after = (read_picture(path) for path in (one, other))
    visible = np.ones(before.pixels.shape[:2]) if before.alpha is None else before.alpha > 0
    values = [with_bits(picture.pixels, 8).astype(float) for picture in (before, after)]
    return float(np.abs(values[0] - values[1])[visible > 0].mean())


def read_values(path: Path) -> np.ndarray:
    """Return the 16-bit values in a file, h w c, by another reader than ours."""
    decode = imagecodecs.png_decode if path.suffix == ".png" else imagecodecs.tiff_decode
    values = decode(path.read_bytes())
    assert values.dtype == np.uint16
    return values[..., None] if values.ndim == 2 else values


def psd(bits: int = 8, mode: int = 3, channels: int = 3) -> bytes:
    """Return a Photoshop file without layers, 36 x 24, of soft colours."""
    planes = np.moveaxis(smooth(channels=channels), 2, 0).astype(">u2" if bits == 16 else np.uint8)
    head = b"8BPS" + struct.pack(">HxxxxxxHIIHH", 1, channels, 24, 36, bits, mode)
    return head + bytes(12) + b"\0\0" + planes.tobytes()


def notes_of(source: Path, translator) -> list[str]:
    targets = plan_targets([source], "zebras", output=source.parent / "out")
    outcome = translate_targets(targets, TranslateJob(translator, TranslateOptions()))
    assert not outcome.failed
    return outcome.notes
