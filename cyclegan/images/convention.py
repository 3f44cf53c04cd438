"""The pixel convention.

Inside, an image is float, [-1, 1], n c h w, of three channels (sRGB) or one. Outside it is levels of 8 or 16 bits,
h w c, whole numbers from 0 to 255 or 65,535.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from PIL import Image
from torch import Tensor

Images = Float[Tensor, "n _c h w"]  # networks change the number of channels, never the rest
Levels = UInt8[Tensor, "n _c h w"] | UInt16[Tensor, "n _c h w"]
Pixels = UInt8[np.ndarray, "_h _w _c"] | UInt16[np.ndarray, "_h _w _c"]

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as Pillow makes greys


def to_images(pixels: Pixels) -> Images:
    """Bring the pixels of one picture to [-1, 1], 1 c h w."""
    return scaled(torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]))


def scaled(batch: Levels) -> Images:
    """Bring levels to [-1, 1], on whatever device they are."""
    return batch.float().div_(largest_level(batch) / 2).sub_(1.0)


def scaled_on(batch: Levels, device: torch.device) -> Images:
    """Bring levels to [-1, 1] on a device; those of 16 bits, which not every device knows, before they go there."""
    if batch.dtype == torch.uint16:
        return scaled(batch).to(device, non_blocking=True)
    return scaled(batch.to(device, non_blocking=True))


def largest_level(levels: Tensor) -> int:
    """Return what stands for full brightness in levels of this kind."""
    return int(torch.iinfo(levels.dtype).max)


def to_pixels(image: Float[Tensor, "c h w"], *, bits: int = 8) -> Pixels:
    """Bring one image of [-1, 1] to levels of 8 or 16 bits, rounded."""
    white = 2**bits - 1
    levels = image.detach().float().add(1.0).mul(white / 2).round().clamp(0, white)
    return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy().astype(f"uint{bits}"))


def with_bits(pixels: Pixels, bits: int) -> Pixels:
    """Return the same picture in levels of 8 or 16 bits; white stays white."""
    if pixels.dtype.itemsize * 8 == bits:
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * 257
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def with_channels(pixels: Pixels, channels: int) -> Pixels:
    """Return a picture in grey (1 channel) or in colour (3), whatever it was."""
    if pixels.shape[2] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=2)
    return np.rint(pixels @ LUMA)[..., None].astype(pixels.dtype)


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize with Pillow's bicubic filter, which does not alias when it shrinks."""
    if (height, width) == pixels.shape[:2]:
        return pixels
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    levels = np.stack([_resized_channel(channel, width, height) for channel in np.moveaxis(pixels, 2, 0)], axis=2)
    return levels.clip(0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def _resized_channel(channel: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(channel.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    levels: np.ndarray = np.rint(np.array(image))
    return levels


def size_with_short_side(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return height and width scaled so that the shorter is `short_side` pixels."""
    scale = short_side / min(height, width)
    return max(short_side, round(height * scale)), max(short_side, round(width * scale))
