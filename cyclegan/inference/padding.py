"""Padding to sizes that a generator takes: pictures are mirrored at the right and bottom, and cropped afterwards."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from cyclegan.images import Images, PixelValues, scaled_on
from cyclegan.models import Generator


@dataclass(frozen=True)
class PaddedPicture:
    """A picture with padding, whose rows are prepared for the generator on demand."""

    images: Images | PixelValues  # of one picture, without padding, on any device
    generator: Generator
    device: torch.device
    dtype: torch.dtype

    @property
    def height(self) -> int:
        """Pixels, with padding."""
        return padded_length(self.images.shape[2], self.generator.stride, self.generator.min_size)

    @property
    def width(self) -> int:
        """Pixels, with padding."""
        return padded_length(self.images.shape[3], self.generator.stride, self.generator.min_size)

    def rows(self, first: int, last: int) -> Images:
        """Return the rows from `first` up to, but not including, `last`, in [-1, 1] on the device."""
        columns, lines = mirrored(self.images.shape[3], self.width), mirrored(self.images.shape[2], self.height)
        rows = self.images[:, :, lines[first:last]][:, :, :, columns]
        floats = rows.to(self.device) if rows.is_floating_point() else scaled_on(rows, self.device)
        return floats.to(self.dtype).contiguous(memory_format=fastest_memory_format(self.device, self.dtype))


def fastest_memory_format(device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """Return the fastest memory format; for fp32 on a CPU the one in which norms are exact."""
    exact = device.type == "cpu" and dtype == torch.float32
    return torch.contiguous_format if exact else torch.channels_last


def padded_by_reflection(images: Images, stride: int, smallest: int) -> Float[Tensor, "n c H W"]:
    """Pad the right and bottom by reflection, to multiples of `stride` of at least `smallest` pixels."""
    height, width = (padded_length(side, stride, smallest) for side in images.shape[2:])
    rows, columns = mirrored(images.shape[2], height), mirrored(images.shape[3], width)
    if (height, width) == tuple(images.shape[2:]):
        return images
    return images[:, :, rows.to(images.device)][:, :, :, columns.to(images.device)]


def padded_length(length: int, stride: int, smallest: int) -> int:
    """Return the length that a generator takes: a multiple of `stride` and at least `smallest` pixels."""
    return max(multiple_of(stride, length), smallest)


def multiple_of(stride: int, length: float) -> int:
    """Return the multiple of `stride` that is at least `length`, and not 0."""
    return max(math.ceil(length / stride), 1) * stride


def mirrored(length: int, longer: int) -> Tensor:
    """Return the indices 0 … length-1, reflected at both ends until there are `longer`."""
    return torch.from_numpy(np.pad(np.arange(length), (0, longer - length), mode="reflect" if length > 1 else "edge"))
