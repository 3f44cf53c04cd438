"""The two ways to resize pictures for an extractor; published numbers use both.

`clean` is Pillow's bicubic filter on floats, which does not alias (Parmar et al. 2022). `legacy` is TensorFlow 1's
bilinear interpolation, used by the first implementation of FID, which skips pixels where it shrinks.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor

from cyclegan.images import Pixels

Resizing = Literal["clean", "legacy"]
RESIZINGS: tuple[Resizing, ...] = ("clean", "legacy")

Squares = Float32[Tensor, "3 _side _side"]  # floats of 0 to 255


def resize_square(pixels: Pixels, side: int, resizing: Resizing) -> Squares:
    """Return an RGB picture of 8 bits as a square of `side` pixels."""
    return clean(pixels, side) if resizing == "clean" else legacy(pixels, side)


def clean(pixels: Pixels, side: int) -> Squares:
    """Resize without aliasing and without rounding."""
    channels = [Image.fromarray(channel.astype(np.float32)) for channel in pixels.transpose(2, 0, 1)]
    resized = [np.asarray(channel.resize((side, side), Image.Resampling.BICUBIC)) for channel in channels]
    return torch.from_numpy(np.stack(resized).clip(0, 255))


def legacy(pixels: Pixels, side: int) -> Squares:
    """Resize as TensorFlow 1 did."""
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float()
    square: Tensor = interpolate_bilinear_2d_like_tensorflow1x(batch, size=(side, side), align_corners=False)[0]
    return square
