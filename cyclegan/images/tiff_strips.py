"""Strips and tiles of a TIFF decoded strictly: damage is an error, and no byte of the result is left as memory was.

libtiff fills what it cannot decode of a fax or a JPEG, and says so on standard error alone. FFmpeg refuses it.
"""

import io
import logging
from collections.abc import Iterator
from math import prod

import numpy as np
from PIL import TiffImagePlugin
from tifffile import TIFF, TiffFile, TiffPage

from cyclegan.errors import PictureError

FAX = (2, 3, 4)  # compression: CCITT run lengths, group 3, group 4
JPEG, END_OF_JPEG = 7, b"\xff\xd9"
LOW_BIT_FIRST = 2  # fill order
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # for files that fill bytes from the low bit
# No decoder reads this behind whole rows; one that lacks rows does, and meets an error in every fax code.
POISON = b"\0\x10\1\xff\0\0\1\xa5\5\0\3" * 8
PLAIN = "Save it anew, with no compression or with deflate."

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # it would warn on standard error


def decode_page(file: TiffFile, page: TiffPage) -> np.ndarray:
    """Return all sample values of a page, in its own layout; whatever is missing or damaged is an error."""
    check_complete(page)
    if page.compression in FAX:
        return _decode_fax(file, page)
    check_jpeg(file, page)
    try:
        page.decode(None, 0)  # finds out what tifffile cannot decode before a byte is read
    except (ValueError, NotImplementedError) as error:
        raise PictureError(f"its pixels are stored in a way that is not read here ({error}).", PLAIN) from error
    values: np.ndarray = page.asarray(maxworkers=1)
    return values


def can_decode(page: TiffPage) -> bool:
    """Tell whether the compression is one that is decoded here and not by libtiff."""
    return page.compression in FAX or page.compression == 1 or page.compression in TIFF.DECOMPRESSORS


def check_complete(page: TiffPage) -> None:
    """Raise an error if a strip or tile is not there."""
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
        data = strip.translate(REVERSED) if page.fillorder == LOW_BIT_FIRST else strip
        bits = _decode("tiff", _strip_as_file(data + POISON, height, width, page)) == 0
        part = values[top : top + height, left : left + width]  # tiles may reach beyond the picture
        part[:] = bits[: part.shape[0], : part.shape[1]]
    return values


def _strips(file: TiffFile, page: TiffPage) -> Iterator[bytes]:
    """Yield the strips or tiles of a page as they are stored."""
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.filehandle.seek(offset)
        yield file.filehandle.read(size)


def _strip_as_file(strip: bytes, height: int, width: int, page: TiffPage) -> bytes:
    """Return a TIFF of one strip, which shows as black what the strip holds as 1."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    values = {256: width, 257: height, 258: 1, 259: int(page.compression), 262: 0, 273: (0,), 277: 1, 278: height}
    for tag, value in (values | {279: (len(strip),)}).items():
        tags[tag] = value
    if 292 in page.tags:  # options of group 3: two dimensions, fill bits
        tags.tagtype[292] = 4
        tags[292] = page.tags[292].value
    tags.save(file := io.BytesIO())
    return file.getvalue() + strip


def _decode(codec: str, data: bytes) -> np.ndarray:
    """Return a grey picture from FFmpeg, which raises an error at whatever is damaged."""
    import av  # which pictures of other kinds do without

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
    grey: np.ndarray = frames[0].to_ndarray(format="gray")
    return grey
