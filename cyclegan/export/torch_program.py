"""A generator as a torch.export program for images of any height and width, and the same network in PyTorch."""

import io
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbolic_shapes

from cyclegan.models import Generator


class Program(nn.Module):
    """A generator for images of any height and width, with reflection padding where needed."""

    def __init__(self, generator: Generator, *, pictures: bool = False, half: bool = False) -> None:
        super().__init__()
        self.pictures = pictures
        self.dtype = torch.float16 if half else torch.float32
        self.generator = generator.to(self.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Translate images, n c h w in [-1, 1], or pictures, n h w c in uint8."""
        if not self.pictures:
            return self.translate(images)
        translated = self.translate(images.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return ((translated + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def translate(self, images: Tensor) -> Tensor:
        """Translate images.

        Padding and cropping gather indices: slices would tie a traced program to the memory format of its example.
        """
        height, width = images.shape[2:]
        stride, smallest = self.generator.stride, self.generator.min_size
        rows, columns = (reflected_indices(side, stride, smallest, images.device) for side in (height, width))
        extended = images.to(self.dtype).index_select(2, rows).index_select(3, columns)
        translated: Tensor = self.generator(extended).float()
        top, left = (torch.arange(side, device=images.device) for side in (height, width))
        return translated.index_select(2, top).index_select(3, left)


def reflected_indices(length: int, stride: int, smallest: int, device: torch.device) -> Tensor:
    """Return the indices 0 … length-1, continued by reflection to a multiple of `stride` that is at least `smallest`.

    They equal those of `inference.padding`, by arithmetic that can be traced for every length.
    """
    padded_length = torch.sym_max((length + stride - 1) // stride * stride, smallest)
    indices = torch.arange(padded_length, device=device)
    period = indices.new_full((1,), torch.sym_max(2 * length - 2, 1))
    return (length - 1) - ((length - 1) - indices.remainder(period)).abs()


def torch_program(
    generator: Generator, channels: int, metadata: Mapping[str, str], *, pictures: bool, half: bool
) -> bytes:
    """Return a serialized torch.export program; `channels` are those of its input."""
    file = io.BytesIO()
    program = trace(Program(generator, pictures=pictures, half=half), channels)
    torch.export.save(program, file, extra_files={"about.json": json.dumps(metadata)})
    return file.getvalue()


def noise(shape: tuple[int, int, int, int], pictures: bool) -> Tensor:
    """Return images (n c h w) or pictures (n h w c) of noise, always the same."""
    batch, channels, height, width = shape
    random = torch.Generator().manual_seed(0)
    values = torch.randint(256, (batch, height, width, channels), dtype=torch.uint8, generator=random)
    return values if pictures else values.permute(0, 3, 1, 2).float() / 127.5 - 1


def trace(program: Program, channels: int) -> ExportedProgram:
    """Trace a program for every batch, height and width."""
    side = program.generator.min_size
    example = noise((2, channels, side + 1, side + 2), program.pictures)  # of any size
    one_pixel_allowed = symbolic_shapes.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    # Without this, a program traced with more than one pixel in a U-Net's deepest layer does not accept one.
    with one_pixel_allowed:
        exported = torch.export.export(program, (example,), dynamic_shapes=(dimensions(program.pictures),))
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)  # has paths of this machine
    return exported


def dimensions(pictures: bool) -> list[Any]:
    """Return the dimensions of a program's input."""
    batch, height, width = (Dim(name, min=1) for name in ("batch", "height", "width"))
    return [batch, height, width, Dim.STATIC] if pictures else [batch, Dim.STATIC, height, width]
