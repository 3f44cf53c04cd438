"""How a file was encoded, as options of Pillow's `save`: quality, subsampling, compression."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, Jpeg2KImagePlugin, JpegImagePlugin

from cyclegan.images.formats import FORMATS

DEFAULT_QUALITY = 95  # of lossy formats where the source gives none
MIN_QUALITY = 90  # of JPEGs, unless --quality asks for less
TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate")  # that are written; others become the last


def read_encoding(image: Image.Image, path: Path) -> dict[str, Any]:
    """Return the encoding of an opened file; JPEGs coarser than `MIN_QUALITY` are raised to it."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return _jpeg_encoding(image)
    if image.format == "WEBP":
        return {"lossless": True} if is_lossless_webp(path.read_bytes()) else {}
    if image.format == "TIFF":
        compression = image.info.get("compression")
        return {"compression": compression if compression in TIFF_COMPRESSIONS else TIFF_COMPRESSIONS[-1]}
    if image.format == "TGA":
        return {"compression": image.info.get("compression")}
    if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        return {"no_jp2": image.codec == "j2k"}
    return {}


def encoding_options(encoding: dict[str, Any], image_format: str, quality: int | None) -> dict[str, Any]:
    """Return the options to write a format with, given those of a source of the same format (else empty)."""
    if not FORMATS[image_format].lossy:
        return encoding
    options = encoding or {"quality": DEFAULT_QUALITY} | ({"subsampling": 0} if image_format == "JPEG" else {})
    if quality:
        return {key: options[key] for key in ("subsampling", "progressive") if key in options} | {"quality": quality}
    return options


def is_lossless_webp(data: bytes) -> bool:
    """Tell whether a WebP, or its first frame, is coded losslessly."""
    offset = 12
    while offset + 8 <= len(data):
        kind, length = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
        # an animation's frame is a chunk of chunks, behind 16 bytes of its own
        offset += 24 if kind == b"ANMF" else 8 + length + length % 2
    return False


def _jpeg_encoding(image: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    encoding: dict[str, Any] = {"progressive": True} if image.info.get("progressive") else {}
    sampling = JpegImagePlugin.get_sampling(image)
    if sampling >= 0 or image.mode == "RGB":
        encoding["subsampling"] = max(sampling, 0)  # a sampling without a name in Pillow becomes 4:4:4
    tables = image.quantization
    if tables and np.mean(tables[min(tables)]) <= _mean_quantization(MIN_QUALITY):
        return encoding | {"qtables": tables}
    return encoding | {"quality": MIN_QUALITY}


@cache
def _mean_quantization(quality: int) -> float:
    """Return the mean of the luminance table of Pillow's JPEGs of this quality."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return float(np.mean(image.quantization[0]))
