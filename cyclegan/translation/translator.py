"""The translator: one trained generator, ready for pictures of any size."""

from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cyclegan.devices import choose_device, uses_bf16
from cyclegan.errors import ModelFileError, printable
from cyclegan.images import Images, Picture, Pixels, to_images, to_pixels
from cyclegan.models import Generator, build_generator
from cyclegan.runs import ModelInfo, find_model, generator_weights, load_model

Direction = Literal["a2b", "b2a"]


class Translator:
    """Redraws images with a trained model; see `__call__`.

    `model` is a run's folder, a model file or a run's name; nothing means the newest run under `checkpoints/`.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        direction: Direction = "a2b",
        device: str = "auto",
        precision: Literal["auto", "fp32", "bf16"] = "auto",
    ) -> None:
        if direction not in ("a2b", "b2a"):
            raise ValueError(f"direction is {direction!r}; it must be a2b or b2a")
        self.path = find_model(model)
        self.info, weights = load_model(self.path)
        self.direction = direction
        self.device = choose_device(device)
        self.dtype = torch.bfloat16 if uses_bf16(precision, self.device) else torch.float32
        self.generator = _load_generator(self.path, self.info, weights, direction)
        exact = self.device.type == "cpu" and self.dtype == torch.float32  # a CPU's norms round more in channels_last
        self.layout = torch.contiguous_format if exact else torch.channels_last
        self.generator.to(self.device, self.dtype, memory_format=self.layout)  # type: ignore[call-overload]

    @property
    def target(self) -> str:
        """The name of the domain that pictures are redrawn as."""
        return self.info.domain_b if self.direction == "a2b" else self.info.domain_a

    @overload
    def __call__(self, picture: Image.Image) -> Image.Image: ...
    @overload
    def __call__(self, picture: Tensor) -> Tensor: ...
    @overload
    def __call__(self, picture: Pixels) -> Pixels: ...

    def __call__(self, picture: Image.Image | Tensor | Pixels) -> Image.Image | Tensor | Pixels:
        """Redraw a picture; what comes out is of the kind, size and mode of what went in.

        Takes a PIL image of any size and mode; a float tensor n c h w in [-1, 1]; or a uint8 array h w 3.
        """
        if isinstance(picture, Image.Image):
            opened = Picture.from_image(picture)
            return opened.with_pixels(self.redraw_pixels(opened.pixels)).to_image()
        channels = self.info.channels_a if self.direction == "a2b" else self.info.channels_b
        if isinstance(picture, Tensor):
            if picture.ndim != 4 or picture.shape[1] != channels or not picture.is_floating_point():
                raise ValueError(f"expected a float tensor n {channels} h w, got {picture.dtype} {[*picture.shape]}")
            return self.redraw(picture).to(picture)
        if picture.ndim != 3 or picture.shape[2] != channels or picture.dtype != np.uint8:
            raise ValueError(f"expected a uint8 array h w {channels}, got {picture.dtype} {[*picture.shape]}")
        return self.redraw_pixels(picture)

    def redraw_pixels(self, pixels: Pixels) -> Pixels:
        """Redraw one picture of bytes, h w 3."""
        return to_pixels(self.redraw(to_images(pixels))[0])

    @torch.inference_mode()
    def redraw(self, images: Images) -> Images:
        """Redraw a batch of any height and width; float32, on this translator's device."""
        height, width = images.shape[2:]
        padded = padded_by_reflection(
            images.to(self.device, self.dtype), self.generator.stride, self.generator.smallest
        )
        redrawn: Tensor = self.generator(padded.contiguous(memory_format=self.layout))
        return redrawn[:, :, :height, :width].float()


def choose_direction(info: ModelInfo, to: str | None, direction: str | None) -> Direction:
    """Return the direction that leads to the domain called `to`, or the one asked for, or a2b."""
    if to is None:
        return "b2a" if direction == "b2a" else "a2b"
    matches: list[Direction] = []
    if to == info.domain_b:
        matches.append("a2b")
    if to == info.domain_a:
        matches.append("b2a")
    if len(matches) != 1 or (direction is not None and direction != matches[0]):
        raise ModelFileError(
            f"this model does not say how to reach {printable(to)}: it turns {printable(info.domain_a)} into "
            f"{printable(info.domain_b)} (a2b) and back (b2a).",
            "Name one of the two with --to, or give --direction alone.",
        )
    return matches[0]


def padded_by_reflection(images: Images, stride: int, smallest: int) -> Float[Tensor, "n c H W"]:
    """Extend right and bottom, mirrored, until both sides are multiples of `stride` and at least `smallest` pixels."""
    height, width = (max(-(-side // stride) * stride, smallest) for side in images.shape[2:])
    rows, columns = mirrored(images.shape[2], height), mirrored(images.shape[3], width)
    if (height, width) == tuple(images.shape[2:]):
        return images
    return images[:, :, rows.to(images.device)][:, :, :, columns.to(images.device)]


def mirrored(length: int, longer: int) -> Tensor:
    """Return the places 0 … length-1, then back and forth between the two ends until there are `longer`."""
    return torch.from_numpy(np.pad(np.arange(length), (0, longer - length), mode="reflect" if length > 1 else "edge"))


def _load_generator(path: Path, info: ModelInfo, weights: dict[str, Tensor], direction: Direction) -> Generator:
    channels = (info.channels_a, info.channels_b)
    generator = build_generator(info.generator, *(channels if direction == "a2b" else channels[::-1]))
    own = generator_weights(path, weights, direction)
    try:
        generator.load_state_dict(own)
    except RuntimeError as error:
        raise ModelFileError(
            f"{printable(path)} does not hold the weights of the network that it describes.",
            "Use another file, or train again.",
        ) from error
    return generator.eval().requires_grad_(False)
