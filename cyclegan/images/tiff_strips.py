"""Strips and tiles of a TIFF, decoded strictly: damage is an error.

libtiff returns uninitialized memory for what it cannot decode of a fax or a JPEG, and only prints a warning. FFmpeg
raises an error.
"""

import io
import logging
from collections.abc import Iterator
from math import prod

import numpy as np
from PIL import TiffImagePlugin, TiffTags
from tifffile import TIFF, TiffFile, TiffPage

from cyclegan.errors import UnreadableError

FAX = (2, 3, 4)  # compression: CCITT run lengths, group 3, group 4
JPEG, END_OF_JPEG = 7, b"\xff\xd9"
T4_OPTIONS = 292  # of group 3: two dimensions, fill bits
LOW_BIT_FIRST = 2  # fill order
REVERSED_BYTES = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
# Follows a strip: a decoder that lacks rows reads on, and finds this invalid in every fax code.
INVALID_CODES = b"\0\x10\1\xff\0\0\1\xa5\5\0\3" * 8
SAVE_PLAIN_HINT = "Save it anew, with no compression or with deflate."

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else it warns on standard error


def decode_page(file: TiffFile, page: TiffPage) -> np.ndarray:
    """Return all samples of a page, in its own layout; missing or damaged data are an error."""
    check_complete(page)
    if page.compression in FAX:
        return _decode_fax(file, page)
    check_jpeg(file, page)
    try:
        page.decode(None, 0)  # raises here what tifffile cannot decode, before it reads data
    except (ValueError, NotImplementedError) as error:
        raise UnreadableError(
            f"its pixels are stored in a way that is not read here ({error}).", SAVE_PLAIN_HINT
        ) from error
    values: np.ndarray = page.asarray(maxworkers=1)
    return values


def can_decode(page: TiffPage) -> bool:
    """Tell whether a page is decoded here, and not by libtiff."""
    return page.compression in FAX or page.compression == 1 or page.compression in TIFF.DECOMPRESSORS


def check_complete(page: TiffPage) -> None:
    """Raise an error if a strip or tile is missing."""
    parts = [size for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False) if offset and size]
    if len(parts) < prod(page.chunked):
        raise ValueError(f"{len(parts)} of its {prod(page.chunked)} strips or tiles are there")


def check_jpeg(file: TiffFile, page: TiffPage) -> None:
    """Raise an error if JPEG strips are cut or damaged."""
    if page.compression != JPEG or page.bitspersample != 8 or page.samplesperpixel not in (1, 3):
        return
    tables = page.jpegtables or b"\xff\xd8\xff\xd9"
    for strip in _strips(file, page):
        if END_OF_JPEG not in strip:
            raise ValueError("a strip is cut")
        _decode("mjpeg", tables[:-2] + strip[2:])


def _decode_fax(file: TiffFile, page: TiffPage) -> np.ndarray:
    values = np.zeros((page.imagelength, page.imagewidth), dtype=np.bool_)
    for number, strip in enumerate(_strips(file, page)):
        _, (_, _, top, left, _), (_, height, width, _) = page.decode(None, number)
        data = strip.translate(REVERSED_BYTES) if page.fillorder == LOW_BIT_FIRST else strip
        bits = _decode("tiff", _strip_as_file(data + INVALID_CODES, height, width, page)) == 0
        part = values[top : top + height, left : left + width]  # tiles may extend beyond the picture
        part[:] = bits[: part.shape[0], : part.shape[1]]
    return values


def _strips(file: TiffFile, page: TiffPage) -> Iterator[bytes]:
    """Yield the strips or tiles of a page as they are stored."""
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.filehandle.seek(offset)
        yield file.filehandle.read(size)


def _strip_as_file(strip: bytes, height: int, width: int, page: TiffPage) -> bytes:
    """Return a TIFF of one strip, whose bits of 1 are black."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH], tags[TiffImagePlugin.ROWSPERSTRIP] = (
        width,
        height,
        height,
    )
    tags[TiffImagePlugin.BITSPERSAMPLE] = tags[TiffImagePlugin.SAMPLESPERPIXEL] = 1
    tags[TiffImagePlugin.COMPRESSION], tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = int(page.compression), 0
    tags[TiffImagePlugin.STRIPOFFSETS], tags[TiffImagePlugin.STRIPBYTECOUNTS] = (0,), (len(strip),)
    if T4_OPTIONS in page.tags:
        tags.tagtype[T4_OPTIONS] = TiffTags.LONG
        tags[T4_OPTIONS] = page.tags[T4_OPTIONS].value
    tags.save(file := io.BytesIO())
    return file.getvalue() + strip


def _decode(codec: str, data: bytes) -> np.ndarray:
    """Decode a gray picture with FFmpeg, which raises an error at any damage."""
    import av  # here, because few pictures need it

    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.options = {"err_detect": "explode+bitstream+buffer"}
    context.thread_count = 1
    try:
        frames = context.decode(av.Packet(data))
    except av.error.InvalidDataError as error:
        raise ValueError("a strip cannot be decoded") from error
    if not frames:
        raise ValueError("a strip is cut")
    gray: np.ndarray = frames[0].to_ndarray(format="gray")
    return gray
