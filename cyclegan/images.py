"""The pixel convention, and pictures as files.

Inside, an image is float, [-1, 1], n c h w, RGB. Outside it is what its file held, and goes back as such.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from cyclegan.errors import PictureError, printable
from cyclegan.files import written_whole

Images = Float[Tensor, "n c h w"]
Pixels = UInt8[np.ndarray, "_h _w 3"]

FORMAT_OF = {  # suffix -> Pillow's format; no other decoder is ever tried
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".avif": "AVIF",
}
FORMATS = sorted(set(FORMAT_OF.values()))
MAX_PIXELS = 178_956_970  # of one picture; where Pillow itself suspects a decompression bomb
QUALITY = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}, "AVIF": {"quality": 90}}


@dataclass
class Picture:
    """A picture as a person sees it, upright, and what its file held beside its pixels."""

    pixels: Pixels
    mode: str = "RGB"
    alpha: UInt8[np.ndarray, "_h _w"] | None = None
    format: str = "PNG"
    extras: dict[str, Any] = field(default_factory=dict)  # EXIF and colour profile, as Pillow saves them

    @classmethod
    def from_image(cls, image: Image.Image) -> "Picture":
        """Take a Pillow image of any mode."""
        image_format = image.format or "PNG"
        upright = ImageOps.exif_transpose(image)
        extras = {"exif": upright.getexif().tobytes(), "icc_profile": upright.info.get("icc_profile")}
        has_alpha = upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info
        alpha = np.array(upright.convert("RGBA").getchannel("A")) if has_alpha else None
        return cls(
            pixels=np.array(_eight_bits(upright).convert("RGB")),
            mode={"La": "LA", "RGBa": "RGBA"}.get(upright.mode, upright.mode),
            alpha=alpha,
            format="JPEG" if image_format == "MPO" else image_format,
            extras={name: value for name, value in extras.items() if value},
        )

    def to_image(self) -> Image.Image:
        """Return a Pillow image of the picture's mode."""
        image = Image.fromarray(self.pixels)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.mode in ("P", "PA"):
            return image.quantize(method=Image.Quantize.FASTOCTREE)
        if self.mode.startswith("I"):
            deep = Image.fromarray(np.array(image.convert("L"), dtype=np.uint16) * 257)
            return deep.convert("I") if self.mode == "I" else deep
        return image.convert(self.mode)

    def with_pixels(self, pixels: Pixels) -> "Picture":
        """Return this picture redrawn: other pixels, all else as it was; transparency follows a change of size."""
        alpha = self.alpha
        if alpha is not None and alpha.shape != pixels.shape[:2]:
            alpha = np.array(Image.fromarray(alpha).resize(pixels.shape[1::-1], Image.Resampling.BICUBIC))
        return Picture(pixels, self.mode, alpha, self.format, self.extras)


LARGER = "Shrink it, or let `translate` take it with --max-pixels."


@contextmanager
def picture_errors(path: Path) -> Iterator[None]:
    """Turn whatever a decoder says of a damaged file into a sentence that names it."""
    name = printable(path)
    try:
        yield
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        empty = path.is_file() and path.stat().st_size == 0
        reason = "is empty" if empty else "is not a picture in a format that can be read"
        raise PictureError(f"{name} {reason}.") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} has too many pixels.", LARGER) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PictureError(f"{name} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into memory.") from error
    except Exception as error:  # decoders raise whatever they like
        raise PictureError(f"{name} is damaged: {printable(error) or type(error).__name__}.") from error


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read one picture, upright; a file that cannot be read is a `PictureError` that names it."""
    with picture_errors(path), Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > max_pixels:
            raise PictureError(
                f"{printable(path)} has {image.width} x {image.height} pixels, more than {max_pixels:,}.",
                LARGER,
            )
        image.load()
        return Picture.from_image(image)


def write_picture(picture: Picture, path: Path, image_format: str) -> None:
    """Write a picture whole or not at all; what the format cannot hold is a `PictureError`."""
    image = picture.to_image()
    if image_format == "PNG" and image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = image.convert("RGB" if picture.alpha is None else "RGBA")
    if image_format == "JPEG" and image.mode not in ("L", "RGB", "CMYK"):
        image = _on_white(image) if picture.alpha is not None else image.convert("RGB")
    if image_format in ("WEBP", "AVIF") and image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB" if picture.alpha is None else "RGBA")
    if image_format in ("BMP", "PPM") and image.mode not in ("L", "RGB"):
        image = _on_white(image) if picture.alpha is not None else image.convert("RGB")
    with written_whole(path) as aside:
        try:
            image.save(aside, format=image_format, **QUALITY.get(image_format, {}), **picture.extras)
        except Exception as error:  # encoders too
            if isinstance(error, OSError) and error.errno is not None:
                raise  # it is the disk's
            reason = f"{printable(path)} cannot be written as {image_format}: {printable(error)}."
            raise PictureError(reason, "Choose another --format.") from error


def to_images(pixels: UInt8[np.ndarray, "h w c"]) -> Images:
    """Bring the pixels of one picture to [-1, 1], 1 c h w."""
    return scaled(torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]))


def scaled(batch: UInt8[Tensor, "n c h w"]) -> Images:
    """Bring bytes to [-1, 1], on whatever device they are."""
    return batch.float().div_(127.5).sub_(1.0)


def to_pixels(image: Float[Tensor, "c h w"]) -> UInt8[np.ndarray, "h w c"]:
    """Bring one image of [-1, 1] back to bytes, rounded."""
    levels = image.detach().float().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize with Pillow's bicubic filter, which does not alias when it shrinks."""
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def size_with_short_side(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return height and width scaled so that the shorter is `short_side` pixels."""
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return 16-bit greys as 8-bit ones; Pillow's own conversion would clip them to white."""
    if image.mode.startswith("I"):
        levels = np.clip(np.array(image).astype(np.int64), 0, 65535)
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8))
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """Flatten a transparent image for a format that has no transparency."""
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
