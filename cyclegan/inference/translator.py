"""The translator: one trained generator, ready for pictures of any size."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cyclegan.checkpoints.find import find_model, model_name
from cyclegan.checkpoints.model_file import Direction, ModelInfo, generator_weights, load_model
from cyclegan.devices import choose_device, free_memory, uses_bf16
from cyclegan.errors import ModelFileError, printable
from cyclegan.images import Images, Picture, Pixels, PixelValues, read_picture, to_images, to_pixels, with_channels
from cyclegan.inference.fallbacks import Fallbacks
from cyclegan.inference.padding import PaddedPicture, layout, padded_by_reflection
from cyclegan.inference.separable import separate_last_convolution
from cyclegan.inference.strips import kept_bytes, translate_in_strips
from cyclegan.inference.tiles import translate_in_tiles
from cyclegan.models import Generator, ResNetGenerator, load_weights, meta_module

ACTIVATIONS = 2  # maps of full size and the generator's width that are alive at once, measured
WIDENED = 2  # of them that are also there in fp32 where a norm is written out, on anything but a CPU
WHOLE = 2 * 2**30  # bytes that a picture may take on a CPU to go through at once; parts are no slower
MOST_NUMBERS = 2**31  # that CUDA pads at once
MARGIN = 16  # pixels that a picture may gain by padding
KEPT = 2**30  # bytes of activations that are kept between passes in fp32; more are kept in fp16
LARGEST_STRIP = 64  # pixels of height
LARGEST_TILE = 768  # pixels
IN_FULL = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # fp32 keeps all its bits on CUDA, too
LEVELS = (np.uint8, np.uint16)  # kinds of arrays
TAKES = "a path, a PIL image, a float tensor n c h w in [-1, 1], or an array h w c of uint8 or uint16"


class Translator:
    """Redraws images with a trained model; see `__call__`.

    `model` is a run's folder, a model file or a run's name; nothing means the newest run under `checkpoints/`.
    `tile` is the height in pixels of the strips in which large pictures are worked on; 0: chosen by the free memory.
    With precision `auto`, pictures of 8 bits are redrawn in bf16 where the machine computes it natively, those of 16
    bits always in fp32.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        direction: Direction = "a2b",
        device: str = "auto",
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        tile: int = 0,
    ) -> None:
        if direction not in ("a2b", "b2a"):
            raise ValueError(f"direction is {direction!r}; it must be a2b or b2a")
        self.path = find_model(model)
        self.info, weights = load_model(self.path)
        self.direction = direction
        self.device = choose_device(device)
        self.tile = tile
        self.dtype = torch.bfloat16 if uses_bf16(precision, self.device) else torch.float32
        self.deep_dtype = self.dtype if precision == "bf16" else torch.float32
        self.generators: dict[torch.dtype, Generator] = {}
        self.fallbacks = Fallbacks()
        self.generator(self.dtype, weights)

    def generator(self, dtype: torch.dtype, weights: dict[str, Tensor] | None = None) -> Generator:
        """Return the generator in this type; the file is read again for one that was not needed before."""
        if dtype not in self.generators:
            weights = weights or load_model(self.path)[1]
            generator = _load_generator(self.path, self.info, weights, self.direction)
            generator.to(self.device, dtype, memory_format=layout(self.device, dtype))  # type: ignore[call-overload]
            if self.device.type == "cpu" and dtype == torch.bfloat16:
                separate_last_convolution(generator)
            self.generators[dtype] = generator
        return self.generators[dtype]

    @property
    def name(self) -> str:
        """The model's name: its run's, or its file's."""
        return model_name(self.path)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of what comes in and of what comes out: 3 for colour, 1 for grey."""
        source, target = self.info.channels(self.direction)
        return source, target

    @property
    def target(self) -> str:
        """The name of the domain that pictures are redrawn as."""
        return self.info.domains(self.direction)[1]

    @overload
    def __call__(self, picture: str | os.PathLike[str] | Image.Image) -> Image.Image: ...
    @overload
    def __call__(self, picture: Tensor) -> Tensor: ...
    @overload
    def __call__(self, picture: Pixels) -> Pixels: ...

    def __call__(
        self, picture: str | os.PathLike[str] | Image.Image | Tensor | Pixels
    ) -> Image.Image | Tensor | Pixels:
        """Translate a picture; what comes out is of the kind, size and mode of what went in.

        Takes the path of a picture, which gives a PIL image; a PIL image of any size and mode; a float tensor n c h w
        in [-1, 1]; or an array h w c of uint8 or uint16. `c` is the model's, 3 or 1; a PIL image is brought to it, and
        what comes out is grey if the model makes it so. Anything else is a `TypeError`.
        """
        if isinstance(picture, str | os.PathLike):
            return self.translate_picture(read_picture(Path(picture))).to_image()
        if isinstance(picture, Image.Image):
            return self.translate_picture(Picture.from_image(picture)).to_image()
        if not isinstance(picture, Tensor | np.ndarray):
            raise TypeError(f"expected {TAKES}, got {type(picture).__name__}")
        channels = self.channels[0]
        if isinstance(picture, Tensor):
            if (
                picture.ndim != 4
                or picture.shape[1] != channels
                or not picture.is_floating_point()
                or not picture.numel()
            ):
                raise ValueError(f"expected a float tensor n {channels} h w, got {picture.dtype} {[*picture.shape]}")
            return self.redraw(picture).clone().to(picture)  # a copy that autograd may use
        if picture.ndim != 3 or picture.shape[2] != channels or not picture.size or picture.dtype not in LEVELS:
            raise ValueError(f"expected a uint8 array h w {channels}, got {picture.dtype} {[*picture.shape]}")
        return self.translate_pixels([picture])[0]

    def translate_picture(self, picture: Picture, strength: float = 1.0) -> Picture:
        """Redraw one picture; see `translate_pictures`."""
        return self.translate_pictures([picture], strength)[0]

    def translate_pictures(self, pictures: Sequence[Picture], strength: float = 1.0) -> list[Picture]:
        """Redraw pictures of one size, blended with the originals if `strength` is less than 1.

        Grey pictures stay grey, unless the model turns grey into colour.
        """
        channels_in, channels_out = self.channels
        redrawn = self.translate_pixels([with_channels(picture.pixels, channels_in) for picture in pictures])
        results = []
        for picture, pixels in zip(pictures, redrawn, strict=True):
            wanted = picture.channels if channels_in == channels_out else channels_out
            levels = with_channels(pixels, wanted)
            if strength < 1:
                levels = mixed(with_channels(picture.pixels, wanted), levels, strength)
            results.append(picture.with_pixels(levels))
        return results

    @torch.inference_mode()
    @IN_FULL
    def translate_pixels(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Redraw the pixels of pictures of one size and depth, h w c; the result has the same depth."""
        bits = 8 * pictures[0].dtype.itemsize
        dtype = self.dtype if bits == 8 else self.deep_dtype
        height, width = pictures[0].shape[:2]

        def compute(dtype: torch.dtype, tile: int) -> list[Pixels]:
            if self.fits_whole(height, width, len(pictures), dtype, tile):
                images = torch.cat([to_images(pixels) for pixels in pictures])
                return [to_pixels(image, bits=bits) for image in self._translate_whole(images, dtype)]
            return [self._translate_parts(pixels, dtype, bits, tile) for pixels in pictures]

        smaller = self._smaller_parts(height, width, len(pictures), dtype)
        return self.fallbacks.run(compute, (len(pictures), height, width), (dtype, self.tile), smaller)

    @torch.inference_mode()
    @IN_FULL
    def redraw(self, images: Images) -> Images:
        """Redraw a batch of any height and width; float32, on this translator's device."""
        height, width = images.shape[2:]

        def compute(dtype: torch.dtype, tile: int) -> Images:
            if self.fits_whole(height, width, len(images), dtype, tile):
                return self._translate_whole(images, dtype)
            large = [torch.cat(list(self._parts(image[None], dtype, tile)), dim=2) for image in images]
            return torch.cat(large)[:, :, :height, :width]

        smaller = self._smaller_parts(height, width, len(images), self.dtype)
        return self.fallbacks.run(compute, (len(images), height, width), (self.dtype, self.tile), smaller)

    def fits_whole(self, height: int, width: int, images: int, dtype: torch.dtype, tile: int | None = None) -> bool:
        """Tell whether images of this size go through the network at once, or in parts of a height of `tile`."""
        tile = self.tile if tile is None else tile
        if tile:
            return max(height, width) <= tile
        needed, share = images * height * width * self._bytes_per_pixel(dtype), free_memory(self.device) // 2
        if self.device.type != "cuda":
            return needed <= min(share, WHOLE)
        numbers = images * (height + MARGIN) * (width + MARGIN) * self.info.generator.width
        return needed <= share and numbers < MOST_NUMBERS

    def _smaller_parts(self, height: int, width: int, images: int, dtype: torch.dtype) -> int:
        """Return the height of parts that are smaller than those planned."""
        if self.fits_whole(height, width, images, dtype):
            return LARGEST_STRIP
        return max((self.tile or LARGEST_STRIP) // 4, 4)

    def _bytes_per_pixel(self, dtype: torch.dtype) -> int:
        widened = 0 if self.device.type == "cpu" else WIDENED * torch.float32.itemsize
        return self.info.generator.width * (ACTIVATIONS * dtype.itemsize + widened)

    def _translate_whole(self, images: Images, dtype: torch.dtype) -> Images:
        height, width = images.shape[2:]
        generator = self.generator(dtype)
        padded = padded_by_reflection(images.to(self.device, dtype), generator.stride, generator.min_size)
        redrawn: Tensor = generator(padded.contiguous(memory_format=layout(self.device, dtype)))
        return redrawn[:, :, :height, :width].float()

    def _translate_parts(self, pixels: Pixels, dtype: torch.dtype, bits: int, tile: int) -> Pixels:
        height, width = pixels.shape[:2]
        redrawn = np.empty((height, width, self.channels[1]), dtype=pixels.dtype)
        top = 0
        for part in self._parts(torch.from_numpy(pixels).permute(2, 0, 1)[None], dtype, tile):
            levels = to_pixels(part[0, :, :, :width], bits=bits)[: height - top]
            redrawn[top : top + len(levels)] = levels
            top += len(levels)
        return redrawn

    def _parts(self, images: Images | PixelValues, dtype: torch.dtype, tile: int) -> Iterator[Images]:
        """Yield translated rows from top to bottom, mirrored on to a height and width that the generator takes."""
        generator = self.generator(dtype)
        picture = PaddedPicture(images, generator, self.device, dtype)
        if isinstance(generator, ResNetGenerator):
            kept_as = torch.float16 if dtype == torch.float32 and kept_bytes(picture) > KEPT else dtype
            rows = self._strip_rows(picture.width, dtype, tile)
            yield from translate_in_strips(generator, picture, rows=rows, kept_as=kept_as)
        else:
            yield from translate_in_tiles(generator, picture, tile or LARGEST_TILE)

    def _strip_rows(self, width: int, dtype: torch.dtype, tile: int) -> int:
        """Return how many rows of a picture are worked on at a time."""
        share = min(free_memory(self.device) // 4, WHOLE // 4)
        fitting = share // (width * self._bytes_per_pixel(dtype))
        return max((tile or min(fitting, LARGEST_STRIP)) // 4, 1) * 4


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


def mixed(original: Pixels, redrawn: Pixels, strength: float) -> Pixels:
    """Return the way from the original to the redrawn picture, as far as `strength` goes."""
    levels: np.ndarray = np.rint(original + strength * (redrawn.astype(np.float32) - original))
    return levels.astype(redrawn.dtype)


def _load_generator(path: Path, info: ModelInfo, weights: dict[str, Tensor], direction: Direction) -> Generator:
    own = {name: weight.float() for name, weight in generator_weights(path, weights, direction).items()}
    try:
        return load_weights(meta_module(info.generator, info.channels(direction)), own)
    except ModelFileError as error:
        raise ModelFileError(
            f"{printable(path)} does not hold the weights of the network that it describes.",
            "Use another file, or train again.",
        ) from error
