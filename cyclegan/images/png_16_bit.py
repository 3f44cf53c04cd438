"""PNGs of 16 bits in color or with alpha, which Pillow cuts to 8: it reads their headers, imagecodecs their pixels."""

import struct
import zlib
from pathlib import Path

import numpy as np
from imagecodecs import png_decode, png_encode
from PIL import Image

from cyclegan.errors import UnreadableError
from cyclegan.images.exif_block import EXIF_HEADER
from cyclegan.images.metadata import XMP_IN_PNG
from cyclegan.images.picture import Picture
from cyclegan.images.pixels import stack_alpha

GRAY_ALPHA, RGB, RGBA = 4, 2, 6  # color types of a PNG
PNG_16_BIT_MODES = {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}  # by channels
PNG_HEADER_BYTES = 8 + 25  # the signature and the IHDR chunk, which comes first


def has_16_bits(image: Image.Image, path: Path) -> bool:
    """Tell whether an opened file is a PNG of 16 bits per channel that Pillow would cut to 8."""
    if image.format != "PNG":
        return False
    with path.open("rb") as file:
        depth, color_type = file.read(26)[24:]
    return depth == 16 and (color_type in (RGB, GRAY_ALPHA, RGBA) or "transparency" in image.info)


def decode_png(image: Image.Image, data: bytes) -> Picture:
    """Return the picture in a file's bytes, which Pillow has opened as `image`."""
    values: np.ndarray = png_decode(data)
    if values.dtype != np.uint16 or values.ndim != 3 or sorted(values.shape[:2]) != sorted(image.size):
        raise UnreadableError(f"its pixels are laid out as {values.dtype} {values.shape}, which cannot be read.")
    mode = PNG_16_BIT_MODES[values.shape[2]]
    if mode == "RGB;16":
        return Picture.from_values(values, None, mode, image)
    colors, alpha = values[..., :-1], values[..., -1]
    return Picture.from_values(np.ascontiguousarray(colors), np.ascontiguousarray(alpha), mode, image)


def encode_png(picture: Picture) -> bytes:
    """Return a PNG file of 16 bits per channel."""
    values, profile = picture.file_values()
    metadata = picture.metadata
    values = stack_alpha(values, picture.alpha)
    data = bytes(png_encode(values[..., 0] if values.shape[2] == 1 else values, level=6))
    chunks = b""
    if profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if metadata.dpi:
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *(round(dpi / 0.0254) for dpi in metadata.dpi), 1))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif.removeprefix(EXIF_HEADER))
    if metadata.xmp:
        chunks += _chunk(b"iTXt", XMP_IN_PNG.encode() + b"\0\0\0\0\0" + metadata.xmp)
    for key, text in metadata.text.items():
        chunks += _chunk(b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode())
    for key, text in metadata.png_texts().items():
        chunks += _chunk(b"zTXt", key.encode() + b"\0\0" + zlib.compress(text.encode()))
    return data[:PNG_HEADER_BYTES] + chunks + data[PNG_HEADER_BYTES:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
