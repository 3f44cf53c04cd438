"""Pictures of 16 bits in colour or with transparency, and TIFFs of other numbers than Pillow has modes for.

Pillow reads their headers and everything beside the pixels; imagecodecs (libpng) the pixels of PNGs.
"""

import io
import struct
import zlib
from itertools import accumulate
from pathlib import Path

import numpy as np
from imagecodecs import lzw_encode, packbits_encode, png_decode, png_encode
from PIL import Image, TiffImagePlugin

from cyclegan.errors import PictureError
from cyclegan.images.convention import Pixels, with_channels
from cyclegan.images.metadata import Metadata, tags_of
from cyclegan.images.picture import Alpha, Picture

MODES = {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}
BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, OFFSETS, SIZES, PREDICTOR, EXTRA_SAMPLES = 258, 259, 262, 273, 279, 317, 338
SAMPLE_FORMAT = 339
FORMATS = {"u": 1, "i": 2, "f": 3}  # of samples, by NumPy's kinds
NO_COMPRESSION, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773
COMPRESSIONS = {"raw": NO_COMPRESSION, "tiff_lzw": LZW, "packbits": PACKBITS}  # Pillow's names; else deflate
RGB, GREY = 2, 1  # photometric interpretations


def is_deep(image: Image.Image, path: Path) -> bool:
    """Tell whether an opened file holds 16 bits a channel in a way that Pillow would cut to 8."""
    if image.format != "PNG":
        return False
    with path.open("rb") as file:
        depth, colour = file.read(26)[24:]  # of the IHDR chunk, which comes first
    return depth == 16 and (colour in (2, 4, 6) or "transparency" in image.info)


def decode_deep(image: Image.Image, data: bytes) -> Picture:
    """Return the picture in a file's bytes, which Pillow has opened as `image`."""
    levels: np.ndarray = png_decode(data)
    if levels.dtype != np.uint16 or levels.ndim != 3 or sorted(levels.shape[:2]) != sorted(image.size):
        raise PictureError(f"its pixels are laid out as {levels.dtype} {levels.shape}, which cannot be read.")
    mode = MODES[levels.shape[2]]
    if levels.shape[2] == 3:
        return Picture.from_levels(levels, None, mode, image)
    colours, alpha = levels[..., :-1], levels[..., -1]
    return Picture.from_levels(np.ascontiguousarray(colours), np.ascontiguousarray(alpha), mode, image)


def encode_png(picture: Picture) -> bytes:
    """Return a PNG file of 16 bits a channel."""
    levels, profile = picture.stored()
    metadata = picture.metadata
    data = bytes(png_encode(_with_alpha(levels, picture.alpha), level=6))
    chunks = b""
    if profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if metadata.dpi:
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *(round(dpi / 0.0254) for dpi in metadata.dpi), 1))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    if metadata.xmp:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    for key, text in metadata.text.items():
        chunks += _chunk(b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode())
    header = 8 + 25  # bytes of the signature and of the IHDR chunk, behind which these belong
    return data[:header] + chunks + data[header:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_tiff(picture: Picture) -> bytes:
    """Return a TIFF file of 16 bits a channel, or of the numbers that the picture's TIFF held, in its compression."""
    levels, profile = picture.stored()
    alpha = picture.alpha
    if alpha is not None and picture.format != "TIFF":
        levels = with_channels(levels, 3)  # hardly anybody opens a TIFF of grey with transparency
    pixels = _with_alpha(levels, alpha)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    samples = picture.samples.of_levels(pixels) if picture.samples else pixels
    compression = COMPRESSIONS.get(picture.encoding.get("compression", ""), DEFLATE)
    strip, predictor = _strip(samples, compression)

    tags = tiff_tags(picture.metadata)
    height, width, channels = samples.shape
    tags[256], tags[257] = width, height
    tags[BITS_PER_SAMPLE] = (samples.dtype.itemsize * 8,) * channels
    tags[COMPRESSION] = compression
    tags[PHOTOMETRIC] = GREY if channels < 3 else RGB
    tags[OFFSETS] = (0,)  # behind the tags, which Pillow counts
    tags[277] = channels
    tags[278] = height  # rows in the one strip
    tags[SIZES] = (len(strip),)
    tags[PREDICTOR] = predictor
    tags[SAMPLE_FORMAT] = (FORMATS[samples.dtype.kind],) * channels
    if picture.metadata.dpi:
        tags[282], tags[283], tags[296] = *picture.metadata.dpi, 2
    if alpha is not None:
        tags[EXTRA_SAMPLES] = (2,)  # alpha, and the colours are not multiplied by it
    if profile:
        tags[34675] = profile
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue() + strip


def _strip(samples: np.ndarray, compression: int) -> tuple[bytes, int]:
    """Return all rows, compressed, and the predictor: 1 for none, 2 for horizontal differences."""
    little_endian = samples.astype(samples.dtype.newbyteorder("<"))
    if compression == NO_COMPRESSION:
        return little_endian.tobytes(), 1
    if compression == PACKBITS:
        return bytes(packbits_encode(little_endian.view(np.uint8).reshape(len(samples), -1))), 1
    predictor = 1 if samples.dtype.kind == "f" else 2
    steps = little_endian.copy()
    if predictor == 2:
        steps[:, 1:] -= little_endian[:, :-1]  # each pixel less the one to its left, modulo the range of its numbers
    return bytes(lzw_encode(steps.tobytes())) if compression == LZW else zlib.compress(steps.tobytes(), 6), predictor


def with_tags(data: bytes, tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytes:
    """Return a TIFF that Pillow wrote with more tags: its own encoder of compressed pixels takes no EXIF or GPS."""
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        storage = image.tag_v2
        strips = [data[start : start + size] for start, size in zip(storage[OFFSETS], storage[SIZES], strict=True)]
        for tag, value in storage.items():
            tags[tag] = value
    tags[OFFSETS] = tuple(accumulate((len(strip) for strip in strips[:-1]), initial=0))
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue() + b"".join(strips)


def tiff_tags(metadata: Metadata) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return a TIFF's tags for what is said beside the pixels: EXIF, its directories, and XMP."""
    exif = Image.Exif()
    exif.load(metadata.exif)
    tags = tags_of(exif)
    if metadata.xmp:
        tags[700] = metadata.xmp
    return tags


def _with_alpha(levels: Pixels, alpha: Alpha | None) -> np.ndarray:
    """Return levels with alpha as their last channel, or h w alone if there is but one."""
    if alpha is None:
        return levels[..., 0] if levels.shape[2] == 1 else levels
    return np.concatenate([levels, alpha[..., None]], axis=2)
