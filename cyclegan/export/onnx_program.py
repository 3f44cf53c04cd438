"""A generator as an ONNX program for images of any height and width."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from cyclegan.errors import require_extra
from cyclegan.inference.onnx_graph import INPUT, OUTPUT, GraphWriter, Value
from cyclegan.models import Generator

HEIGHT, WIDTH = 2, 3  # axes of images n c h w


def onnx_program(
    generator: Generator,
    channels: Sequence[int],
    metadata: Mapping[str, str],
    *,
    pictures: bool = False,
    half: bool = False,
) -> bytes:
    """Return a serialized ONNX model that pads its images by reflection where the generator needs it.

    Images are float32, n c h w in [-1, 1]; with `pictures` uint8, n h w c; `channels` are those of input and output.
    With `half` it computes in float16.
    """
    writer = ProgramWriter(require_extra("onnx", "export"), exact=True, half=half)
    images = writer.images_of_pictures(INPUT) if pictures else INPUT
    sizes = {axis: writer.size(images, axis) for axis in (HEIGHT, WIDTH)}
    extended = images
    for axis, length in sizes.items():
        extended = writer.extended(extended, axis, length, generator.stride, generator.min_size)
    extended = writer.cast(extended, np.float16, "extended.half") if half else extended
    translated = writer.add_generator(generator, extended, "generated")
    translated = writer.cast(translated, np.float32, "generated.float") if half else translated
    for axis, length in sizes.items():
        translated = writer.cropped(translated, axis, length)
    if pictures:
        writer.pictures_of_images(translated, OUTPUT)
    else:
        writer.add("Identity", [translated], OUTPUT)

    def value(channel_count: int) -> Value:
        if pictures:
            return writer.value(["batch", "height", "width", channel_count], np.uint8)
        return writer.value(["batch", channel_count, "height", "width"])

    return writer.serialized(value(channels[0]), value(channels[1]), metadata)


class ProgramWriter(GraphWriter):
    """Adds what a generator lacks: bytes as input and output, and any height and width."""

    def number(self, value: float) -> str:
        """Return the name of a scalar, int64 or float32."""
        name = f"number.{value}"
        if not any(weight.name == name for weight in self.weights):
            self.constant(name, torch.tensor(value))
        return name

    def size(self, images: str, axis: int) -> str:
        """Return the name of the length of an axis."""
        return self.add("Squeeze", [self.add("Shape", [images], f"shape.{axis}", start=axis, end=axis + 1)], f"{axis}")

    def extended(self, images: str, axis: int, length: str, stride: int, smallest: int) -> str:
        """Continue an axis by reflection to a multiple of `stride` that is at least `smallest`; return the images.

        The indices equal those of `inference.padding.mirrored`, by operators that take every length:
        last - |last - index mod period|, where last = length - 1 and period = 2 * last, but at least 1.
        """
        zero, one = self.number(0), self.number(1)

        def calculate(operator: str, *terms: str) -> str:
            return self.add(operator, terms, f"extended.{axis}.{len(self.nodes)}")

        last = calculate("Sub", length, one)
        strides = calculate("Div", calculate("Add", last, self.number(stride)), self.number(stride))  # rounded up
        padded = calculate("Max", calculate("Mul", strides, self.number(stride)), self.number(smallest))
        period = calculate("Max", calculate("Mul", last, self.number(2)), one)
        position = calculate("Mod", calculate("Range", zero, padded, one), period)
        mirrored = calculate("Sub", last, calculate("Abs", calculate("Sub", last, position)))
        return self.add("Gather", [images, mirrored], f"extended.{axis}", axis=axis)

    def cropped(self, images: str, axis: int, length: str) -> str:
        """Cut an axis to its length; return the images."""
        kept = self.add("Range", [self.number(0), length, self.number(1)], f"kept.{axis}")
        return self.add("Gather", [images, kept], f"cropped.{axis}", axis=axis)

    def images_of_pictures(self, pictures: str) -> str:
        """Return images in [-1, 1], n c h w, of pictures in uint8, n h w c."""
        planes = self.add("Transpose", [pictures], "planes", perm=[0, 3, 1, 2])
        doubled = self.add("Div", [self.cast(planes, np.float32, "planes.float"), self.number(127.5)], "doubled")
        return self.add("Sub", [doubled, self.number(1.0)], "scaled")

    def pictures_of_images(self, images: str, output: str) -> str:
        """Return pictures in uint8, n h w c, of images in [-1, 1], n c h w."""
        raised = self.add("Add", [images, self.number(1.0)], "raised")
        rounded = self.add("Round", [self.add("Mul", [raised, self.number(127.5)], "bytes")], "rounded")
        within = self.add("Clip", [rounded, self.number(0.0), self.number(255.0)], "within")
        planes = self.cast(within, np.uint8, "planes.translated")
        return self.add("Transpose", [planes], output, perm=[0, 2, 3, 1])
