"""The translator: one trained generator, ready for pictures of any size."""

import os
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from threading import RLock
from typing import Literal, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cyclegan.checkpoints.find import find_model, model_name
from cyclegan.checkpoints.model_file import load_model
from cyclegan.devices import choose_device, free_memory, uses_bf16
from cyclegan.directions import DirectionName
from cyclegan.images import (
    Images,
    Picture,
    Pixels,
    PixelValues,
    blended,
    read_picture,
    resized,
    size_with_short_side,
    to_images,
    to_pixels,
    with_channels,
)
from cyclegan.inference.backends import Backend, BackendChoice, choose_backend, make_backend
from cyclegan.inference.checkerboard import without_checkerboard
from cyclegan.inference.detail import with_detail
from cyclegan.inference.fallbacks import Fallbacks
from cyclegan.inference.loading import load_generator
from cyclegan.inference.padding import PaddedPicture, fastest_memory_format, padded_by_reflection
from cyclegan.inference.rowwise import replace_last_convolution
from cyclegan.inference.strips import cache_bytes, translate_in_strips
from cyclegan.inference.tiles import translate_in_tiles
from cyclegan.models import Generator, ResNetGenerator

LIVE_ACTIVATIONS = 2  # of full size and the generator's width at the same time, measured
FP32_ACTIVATIONS = 2  # as many again in fp32, in norms on any device but a CPU
COMPILED_MEMORY_FACTOR = 2  # of the other backends' activations to torch's, measured
MAX_BYTES_SINGLE_PASS = 2**30  # of a picture's activations on a CPU; strips are as fast
MAX_CUDA_ELEMENTS = 2**31  # of a tensor that CUDA can pad
MAX_PADDING = 16  # pixels
MAX_BYTES_FP32_CACHE = 2**30  # of activations cached between passes; larger caches are fp16
MAX_STRIP_HEIGHT = 64  # pixels of height
MAX_TILE_SIZE = 768  # pixels
NO_TF32 = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # fp32 stays fp32 on CUDA
Checkerboard = Literal["keep", "remove", "auto"]
ARRAY_TYPES = (np.uint8, np.uint16)  # of pixels
INPUT_TYPES = "a path, a PIL image, a float tensor n c h w in [-1, 1], or an array h w c of uint8 or uint16"


class Translator:
    """Translates images with a trained model; see `__call__`.

    `model` is a run's folder, a model file or a run's name; None is the newest run under `checkpoints/`.
    `tile` is the height in pixels of the strips in which large pictures are translated, or the side of the tiles of a
    U-Net; None: by the free memory.
    `keep` is what pictures keep of themselves: `none`, `detail`, `color`, the last two also with the short side in
    pixels that the network sees (`detail=128`), or `auto`, which follows the model. Tensors keep nothing.
    `checkerboard` says whether the fine pattern of the network's transposed convolutions is removed from pictures:
    `keep`, `remove`, or `auto`, which follows the model. Tensors are what the network gives.
    `backend` runs the network on pictures that need no strips: `torch`, `openvino`, `onnxruntime`, or `auto`, which is
    OpenVINO on a CPU where it is installed, else torch.
    With precision `auto`, 8-bit pictures are translated in bf16 where the hardware supports it, 16-bit pictures always
    in fp32.
    """

    def __init__(  # noqa: PLR0913 (by name)
        self,
        model: str | Path | None = None,
        *,
        direction: DirectionName = "a2b",
        device: str = "auto",
        precision: Literal["auto", "fp32", "bf16"] = "auto",
        tile: int | None = None,
        keep: str = "auto",
        checkerboard: Checkerboard = "auto",
        backend: BackendChoice = "auto",
    ) -> None:
        if direction not in ("a2b", "b2a"):
            raise ValueError(f"direction is {direction!r}; it must be a2b or b2a")
        self.path = find_model(model)
        self.info, weights = load_model(self.path)
        self.keep = self.info.resolved_keep(keep)
        self.removes_checkerboard = (
            self.info.remove_checkerboard if checkerboard == "auto" else checkerboard == "remove"
        )
        self.direction = direction
        self.device = choose_device(device)
        self.tile = tile
        self.backend_name = choose_backend(backend, self.device, precision)
        bf16 = uses_bf16(precision, self.device) and self.backend_name != "onnxruntime"
        self.dtype = torch.bfloat16 if bf16 else torch.float32
        self.dtype_16_bit = self.dtype if precision == "bf16" else torch.float32
        self.generators: dict[torch.dtype, Generator] = {}
        self.backends: dict[torch.dtype, Backend] = {}
        self.streams = 1  # so many threads translate at the same time
        self.copies: dict[int, Translator] = {}  # for more streams
        self.loading = RLock()  # what they share is loaded once
        self.fallbacks = Fallbacks()
        self.generator(self.dtype if self.backend_name == "torch" else torch.float32, weights)

    def generator(self, dtype: torch.dtype, weights: dict[str, Tensor] | None = None) -> Generator:
        """Return the generator in this type; a type that is used for the first time is loaded from the file."""
        with self.loading:
            if dtype not in self.generators:
                weights = weights or load_model(self.path)[1]
                generator = load_generator(self.path, self.info, weights, self.direction)
                generator.to(self.device, dtype, memory_format=fastest_memory_format(self.device, dtype))  # type: ignore[call-overload]
                if self.device.type == "cpu" and dtype == torch.bfloat16:
                    replace_last_convolution(generator)
                self.generators[dtype] = generator
            return self.generators[dtype]

    def backend(self, dtype: torch.dtype) -> Backend:
        """Return the backend in this type, made when it is used for the first time."""
        with self.loading:
            if dtype not in self.backends:
                self.backends[dtype] = make_backend(self.backend_name, self.generator, self.device, dtype, self.streams)
            return self.backends[dtype]

    def shared_by(self, streams: int) -> "Translator":
        """Return this translator for so many threads at the same time; it has the same generators."""
        if streams == self.streams:
            return self
        if streams not in self.copies:
            shared = copy(self)
            shared.streams, shared.backends, shared.copies = streams, {}, {}
            self.copies[streams] = shared
        return self.copies[streams]

    @property
    def name(self) -> str:
        """The model's name: its run's, or its file's."""
        return model_name(self.path)

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of inputs and of outputs: 3 for colour, 1 for grey."""
        source, target = self.info.channels(self.direction)
        return source, target

    @property
    def target(self) -> str:
        """The name of the domain of the outputs."""
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
        """Translate a picture; the output has the type, size and mode of the input.

        Takes the path of a picture, which gives a PIL image; a PIL image of any size and mode; a float tensor n c h w
        in [-1, 1]; or an array h w c of uint8 or uint16. `c` is the model's, 3 or 1; a PIL image is converted to it,
        and the output is grey if the model's is. Anything else is a `TypeError`.
        """
        if isinstance(picture, str | os.PathLike):
            return self.translate_picture(read_picture(Path(picture))).to_image()
        if isinstance(picture, Image.Image):
            return self.translate_picture(Picture.from_image(picture)).to_image()
        if not isinstance(picture, Tensor | np.ndarray):
            raise TypeError(f"expected {INPUT_TYPES}, got {type(picture).__name__}")
        channels = self.channels[0]
        if isinstance(picture, Tensor):
            if (
                picture.ndim != 4
                or picture.shape[1] != channels
                or not picture.is_floating_point()
                or not picture.numel()
            ):
                raise ValueError(f"expected a float tensor n {channels} h w, got {picture.dtype} {[*picture.shape]}")
            return self.translate_images(picture).clone().to(picture)  # a copy that autograd may use
        if picture.ndim != 3 or picture.shape[2] != channels or not picture.size or picture.dtype not in ARRAY_TYPES:
            raise ValueError(f"expected a uint8 or uint16 array h w {channels}, got {picture.dtype} {[*picture.shape]}")
        return self._keeping([picture])[0]

    def translate_picture(self, picture: Picture, strength: float = 1.0) -> Picture:
        """Translate one picture; see `translate_pictures`."""
        return self.translate_pictures([picture], strength)[0]

    def translate_pictures(self, pictures: Sequence[Picture], strength: float = 1.0) -> list[Picture]:
        """Translate pictures of one size, blended with the originals if `strength` is less than 1.

        Grey pictures stay grey, unless the model colours them.
        """
        in_channels, out_channels = self.channels
        outputs = self._keeping([with_channels(picture.pixels, in_channels) for picture in pictures])
        results = []
        for picture, pixels in zip(pictures, outputs, strict=True):
            channels = picture.channels if in_channels == out_channels else out_channels
            output = with_channels(pixels, channels)
            if strength < 1:
                output = blended(with_channels(picture.pixels, channels), output, strength)
            results.append(picture.with_pixels(output))
        return results

    def _keeping(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Translate pixels of one size and depth, which keep what this translator says."""
        if self.keep.size is None:
            return self.translate_pixels(pictures)
        return [self._with_own_detail(pixels, self.keep.size) for pixels in pictures]

    def _with_own_detail(self, pixels: Pixels, side: int) -> Pixels:
        """Translate a small copy of a picture, and change the picture as the copy changed."""
        height, width = pixels.shape[:2]
        is_small, color_only = min(height, width) <= side, self.keep.mode == "color"
        if is_small and not color_only:
            return self.translate_pixels([pixels])[0]  # it has no finer detail than the network sees
        small = pixels if is_small else resized(pixels, *size_with_short_side(height, width, side)[::-1])
        translation = self.translate_images(to_images(small)).cpu()
        base = with_channels(pixels, self.channels[1])
        source = to_images(with_channels(small, self.channels[1]))
        return with_detail(base, source, translation, color_only=color_only)

    @torch.inference_mode()
    @NO_TF32
    def translate_pixels(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Translate the pixels of pictures of one size and bit depth, h w c; the outputs have the same depth."""
        bits = 8 * pictures[0].dtype.itemsize
        dtype = self._dtype_for(pictures[0])
        height, width = pictures[0].shape[:2]

        def compute(dtype: torch.dtype, tile: int | None) -> list[Pixels]:
            if self.fits_whole(height, width, len(pictures), dtype, tile):
                images = torch.cat([to_images(pixels) for pixels in pictures])
                return [to_pixels(image, bits=bits) for image in self._translate_whole(images, dtype)]
            return [self._translate_parts(pixels, dtype, bits, tile) for pixels in pictures]

        smaller = self._smaller_tile(height, width, len(pictures), dtype)
        outputs = self.fallbacks.run(compute, (len(pictures), height, width), (dtype, self.tile), smaller)
        if not self.removes_checkerboard:
            return outputs
        sources = (with_channels(pixels, self.channels[1]) for pixels in pictures)
        return [without_checkerboard(source, output) for source, output in zip(sources, outputs, strict=True)]

    @torch.inference_mode()
    @NO_TF32
    def translate_images(self, images: Images) -> Images:
        """Translate a batch of any height and width; the output is float32, on this translator's device."""
        height, width = images.shape[2:]

        def compute(dtype: torch.dtype, tile: int | None) -> Images:
            if self.fits_whole(height, width, len(images), dtype, tile):
                return self._translate_whole(images, dtype)
            large = [torch.cat(list(self._parts(image[None], dtype, tile)), dim=2) for image in images]
            return torch.cat(large)[:, :, :height, :width]

        smaller = self._smaller_tile(height, width, len(images), self.dtype)
        return self.fallbacks.run(compute, (len(images), height, width), (self.dtype, self.tile), smaller)

    def fits_stream(self, pictures: Sequence[Picture]) -> bool:
        """Tell whether pictures of one size may be translated together, while as many are in every other stream."""
        if self.keep.size is not None:
            return True
        height, width = pictures[0].pixels.shape[:2]
        dtype = self._dtype_for(pictures[0].pixels)
        images = self.streams * len(pictures)
        return self.fits_whole(height, width, len(pictures), dtype, self.tile) and (
            self.streams == 1 or images * height * width * self._bytes_per_pixel(dtype) <= free_memory(self.device) // 4
        )

    def fits_whole(self, height: int, width: int, images: int, dtype: torch.dtype, tile: int | None) -> bool:
        """Tell whether images of this size go through the network at once, or in strips of height `tile`."""
        if tile:
            return max(height, width) <= tile
        needed, available = images * height * width * self._bytes_per_pixel(dtype), free_memory(self.device) // 2
        if self.device.type != "cuda":
            factor = 1 if self.backend_name == "torch" else COMPILED_MEMORY_FACTOR
            return needed <= min(available // factor, MAX_BYTES_SINGLE_PASS)
        elements = images * (height + MAX_PADDING) * (width + MAX_PADDING) * self.info.generator.width
        return needed <= available and elements < MAX_CUDA_ELEMENTS

    def _smaller_tile(self, height: int, width: int, images: int, dtype: torch.dtype) -> int:
        """Return the strip height for a second attempt, smaller than the planned one."""
        if self.fits_whole(height, width, images, dtype, self.tile):
            return MAX_STRIP_HEIGHT
        return max((self.tile or MAX_STRIP_HEIGHT) // 4, 4)

    def _dtype_for(self, pixels: Pixels) -> torch.dtype:
        """Return the type in which pixels of 8 or 16 bits are translated."""
        return self.dtype if pixels.dtype == np.uint8 else self.dtype_16_bit

    def _bytes_per_pixel(self, dtype: torch.dtype) -> int:
        fp32 = 0 if self.device.type == "cpu" else FP32_ACTIVATIONS * torch.float32.itemsize
        return self.info.generator.width * (LIVE_ACTIVATIONS * dtype.itemsize + fp32)

    def _translate_whole(self, images: Images, dtype: torch.dtype) -> Images:
        height, width = images.shape[2:]
        backend = self.backend(dtype)
        padded = padded_by_reflection(images.to(self.device), backend.stride, backend.min_size)
        return backend(padded)[:, :, :height, :width].float()

    def _translate_parts(self, pixels: Pixels, dtype: torch.dtype, bits: int, tile: int | None) -> Pixels:
        height, width = pixels.shape[:2]
        output = np.empty((height, width, self.channels[1]), dtype=pixels.dtype)
        top = 0
        for part in self._parts(torch.from_numpy(pixels).permute(2, 0, 1)[None], dtype, tile):
            rows = to_pixels(part[0, :, :, :width], bits=bits)[: height - top]
            output[top : top + len(rows)] = rows
            top += len(rows)
        return output

    def _parts(self, images: Images | PixelValues, dtype: torch.dtype, tile: int | None) -> Iterator[Images]:
        """Yield translated rows from top to bottom, of the padded height and width."""
        generator = self.generator(dtype)
        picture = PaddedPicture(images, generator, self.device, dtype)
        if isinstance(generator, ResNetGenerator):
            cache_dtype = (
                torch.float16 if dtype == torch.float32 and cache_bytes(picture) > MAX_BYTES_FP32_CACHE else dtype
            )
            height = self._strip_height(picture.width, dtype, tile)
            yield from translate_in_strips(generator, picture, strip_height=height, cache_dtype=cache_dtype)
        else:
            yield from translate_in_tiles(generator, picture, tile or MAX_TILE_SIZE)

    def _strip_height(self, width: int, dtype: torch.dtype, tile: int | None) -> int:
        """Return the height of a strip in pixels."""
        available = min(free_memory(self.device) // 4, MAX_BYTES_SINGLE_PASS // 2)
        max_rows = available // (width * self._bytes_per_pixel(dtype))
        return max((tile or min(max_rows, MAX_STRIP_HEIGHT)) // 4, 1) * 4
