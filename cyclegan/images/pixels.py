"""The pixel convention.

Inside, an image is float, [-1, 1], n c h w, of three channels (sRGB) or one. Outside it is pixel values of 8 or 16
bits, h w c, from 0 to 255 or 65,535.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from PIL import Image
from torch import Tensor

Images = Float[Tensor, "n _c h w"]  # networks change the number of channels, never the rest
PixelValues = UInt8[Tensor, "n _c h w"] | UInt16[Tensor, "n _c h w"]
Pixels = UInt8[np.ndarray, "_h _w _c"] | UInt16[np.ndarray, "_h _w _c"]
Alpha = UInt8[np.ndarray, "_h _w"] | UInt16[np.ndarray, "_h _w"]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as in Pillow


def to_images(pixels: Pixels) -> Images:
    """Convert the pixels of one picture to [-1, 1], 1 c h w."""
    return scaled(torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]))


def scaled(values: PixelValues) -> Images:
    """Scale pixel values to [-1, 1], on their device."""
    return values.float().div_(max_value(values) / 2).sub_(1.0)


def scaled_on(values: PixelValues, device: torch.device) -> Images:
    """Scale pixel values to [-1, 1] on a device; uint16, which not every device knows, before it goes there."""
    if values.dtype == torch.uint16:
        return scaled(values).to(device, non_blocking=True)
    return scaled(values.to(device, non_blocking=True))


def max_value(values: Tensor) -> int:
    """Return the value of white in this dtype."""
    return int(torch.iinfo(values.dtype).max)


def to_pixels(image: Float[Tensor, "c h w"], *, bits: int = 8) -> Pixels:
    """Convert one image of [-1, 1] to rounded pixel values of 8 or 16 bits."""
    white = 2**bits - 1
    values = image.detach().float().add(1.0).mul(white / 2).round().clamp(0, white)
    return np.ascontiguousarray(values.permute(1, 2, 0).cpu().numpy().astype(f"uint{bits}"))


def with_bits(pixels: Pixels, bits: int) -> Pixels:
    """Convert between pixel values of 8 and 16 bits; white stays white."""
    if pixels.dtype.itemsize * 8 == bits:
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * 257
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Convert between gray (1 channel) and color (3)."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return np.rint(pixels @ LUMA)[..., None].astype(pixels.dtype)


def luma(images: Float[Tensor, "n _c h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return the luma of images in their own range: of grey ones, themselves."""
    if images.shape[1] == 1:
        return images
    return torch.einsum("nchw,c->nhw", images, torch.tensor(LUMA).to(images))[:, None]


def stack_alpha(pixels: Pixels, alpha: Alpha | None) -> Pixels:
    """Append alpha as the last channel."""
    return pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize with Pillow's bicubic filter, which does not alias when it shrinks."""
    if (height, width) == pixels.shape[:2]:
        return pixels
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    values = np.stack([_resized_channel(channel, width, height) for channel in np.moveaxis(pixels, 2, 0)], axis=2)
    return values.clip(0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def _resized_channel(channel: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(channel.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    values: np.ndarray = np.rint(np.array(image))
    return values


def size_with_short_side(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return height and width scaled so that the shorter is `short_side` pixels."""
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))


def blended(original: Pixels, output: Pixels, strength: float | Float[np.ndarray, "_h _w 1"]) -> Pixels:
    """Return the linear interpolation between the original (strength 0) and the output (strength 1)."""
    values: np.ndarray = np.rint(original + strength * (output.astype(np.float32) - original))
    return values.astype(output.dtype)
