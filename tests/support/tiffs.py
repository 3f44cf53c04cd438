"""TIFFs of every layout, written by hand: no library writes them all."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
from PIL import TiffImagePlugin

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
FORMATS = {"b": 1, "u": 1, "i": 2, "f": 3}
COMPRESSIONS = {"none": 1, "lzw": 5, "jpeg": 7, "deflate": 8, "packbits": 32773, "zstd": 50000}


def tiff_file(  # noqa: PLR0913 (the dimensions of the table)
    values: np.ndarray,
    *,
    bits: int,
    photometric: int = BLACK_IS_ZERO,
    planar: bool = False,
    compression: str = "none",
    extra: tuple[int, ...] = (),
    tags: dict[int, object] | None = None,
    order: str = "<",
) -> bytes:
    """Return a TIFF of values h w c, as they are, each in so many bits; one strip, or one for each plane."""
    height, width, channels = values.shape
    planes = list(np.moveaxis(values, 2, 0)) if planar else [values.reshape(height, -1)]
    strips = [packed(plane, bits, compression, 1 if planar else channels, order) for plane in planes]
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II" if order == "<" else b"MM")
    starts = [sum(map(len, strips[:number])) for number in range(len(strips))]
    entries = {
        256: width, 257: height, 258: (bits,) * channels, 259: COMPRESSIONS[compression], 262: photometric,
        273: tuple(starts), 277: channels, 278: height, 279: tuple(map(len, strips)), 284: 2 if planar else 1,
        339: (FORMATS[values.dtype.kind],) * channels,
    }  # fmt: skip
    for tag, value in (entries | ({338: extra} if extra else {}) | (tags or {})).items():
        directory[tag] = value
    directory.save(file := io.BytesIO())
    return file.getvalue() + b"".join(strips)


def packed(rows: np.ndarray, bits: int, compression: str, channels: int, order: str) -> bytes:
    """Return rows of values packed into bits, each row from a new byte on, and compressed."""
    if compression == "jpeg":
        return imagecodecs.jpeg8_encode(rows.reshape(len(rows), -1, channels).squeeze(), level=98, subsampling="444")
    if bits in (8, 16, 32, 64):
        lines = rows.astype(rows.dtype.newbyteorder(order)).view(np.uint8).reshape(len(rows), -1)
    else:
        places = np.arange(bits)[::-1]
        lines = np.packbits((rows[..., None].astype(np.int64) >> places & 1).reshape(len(rows), -1), axis=1)
    if compression == "lzw":
        return imagecodecs.lzw_encode(lines.tobytes())
    if compression == "packbits":
        return imagecodecs.packbits_encode(lines)
    if compression == "zstd":
        return imagecodecs.zstd_encode(lines.tobytes())
    return zlib.compress(lines.tobytes()) if compression == "deflate" else lines.tobytes()


def with_directory(tiff: bytes, tag: int, inner: dict[int, bytes]) -> bytes:
    """Return a little-endian TIFF with one more directory of short texts, as EXIF and GPS have them."""
    tiff += bytes(len(tiff) % 2)
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    entries = [tiff[start + 2 + 12 * number :][:12] for number in range(count)]
    texts, place = b"", len(tiff) + 2 + 12 * len(inner) + 4
    directory = struct.pack("<H", len(inner))
    for name, text in inner.items():
        directory += struct.pack("<HHI", name, 2, len(text))
        directory += text.ljust(4, b"\0") if len(text) <= 4 else struct.pack("<I", place + len(texts))
        texts += text if len(text) > 4 else b""
    added = directory + bytes(4) + texts
    added += bytes(len(added) % 2)
    entries = sorted(
        [*entries, struct.pack("<HHII", tag, 4, 1, len(tiff))], key=lambda entry: struct.unpack_from("<H", entry)[0]
    )
    moved = tiff[:4] + struct.pack("<I", len(tiff) + len(added)) + tiff[8:]
    return moved + added + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
