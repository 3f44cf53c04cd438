"""Frames into animated GIF, WebP and PNG files, one at a time; Pillow by itself gathers them all before it writes.

Every frame is coded by Pillow, as a picture of its own that covers the whole canvas.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from itertools import count
from struct import pack, unpack_from
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

import numpy as np
from PIL import GifImagePlugin, Image
from PIL.PngImagePlugin import PngInfo

from cyclegan.images.metadata import gif_xmp_block

WEBP_QUALITY = 95
XMP_IN_PNG = "XML:com.adobe.xmp"


class FrameError(Exception):
    """A frame that Pillow does not code in a format."""


class Frame(NamedTuple):
    """One picture of an animation, RGB or RGBA, and how long it is shown."""

    image: Image.Image
    milliseconds: float


@dataclass(frozen=True)
class Details:
    """What an animation holds beside its frames."""

    transparent: bool = True
    loop: int | None = None  # times it is shown, 0 for ever; none: the file does not say
    comment: str = ""
    xmp: bytes = b""
    icc_profile: bytes = b""
    exif: bytes = b""
    texts: Mapping[str, str] = field(default_factory=dict)  # of a PNG
    lossless: bool = False  # of a WebP
    quality: int = WEBP_QUALITY


def write_gif(file: BinaryIO, frames: Iterable[Frame], details: Details) -> None:
    """Write a GIF whose every frame has a palette of its own."""
    for number, (image, milliseconds) in enumerate(frames):
        indexed, transparent = with_palette(image)
        if number == 0:
            info = {"loop": details.loop, "comment": details.comment.encode(), "duration": milliseconds}
            file.writelines(GifImagePlugin.getheader(indexed, info=info)[0])
        shown: dict[str, Any] = {"duration": milliseconds, "disposal": 2, "include_color_table": True}
        if transparent is not None:
            shown["transparency"] = transparent
        file.writelines(GifImagePlugin.getdata(indexed, **shown))
    file.write(gif_xmp_block(details.xmp) + b";")


def with_palette(image: Image.Image) -> tuple[Image.Image, int | None]:
    """Return an image in at most 256 colours of its own, dithered, and the index that stands for transparency."""
    colours = image.convert("RGB")
    alpha = np.array(image.getchannel("A")) if image.mode == "RGBA" else None
    if alpha is None or alpha.min() >= 128:
        return colours.quantize(palette=colours.quantize(256, Image.Quantize.MEDIANCUT)), None
    indexed = colours.quantize(palette=colours.quantize(255, Image.Quantize.MEDIANCUT))
    indices = np.array(indexed)
    indices[alpha < 128] = 255
    seen = Image.fromarray(indices)  # a palette's image is a grey one but for its palette
    seen.putpalette(np.resize(indexed.getpalette() or [0], 768).tolist())
    return seen, 255


def write_webp(file: BinaryIO, frames: Iterable[Frame], details: Details) -> None:
    """Write an animated WebP; at the end go back for its length."""
    flags = 0x02 | 0x10 * details.transparent | 0x20 * bool(details.icc_profile)
    flags |= 0x08 * bool(details.exif) | 0x04 * bool(details.xmp)
    for number, (image, milliseconds) in enumerate(frames):
        extent = _three(image.width - 1) + _three(image.height - 1)
        if number == 0:
            file.write(b"RIFF\0\0\0\0WEBP" + _riff(b"VP8X", pack("<I", flags) + extent))
            file.write(_riff(b"ICCP", details.icc_profile) if details.icc_profile else b"")
            file.write(_riff(b"ANIM", pack("<IH", 0, 1 if details.loop is None else details.loop)))
        whole_and_unblended = _three(0) + _three(0) + extent + _three(round(milliseconds)) + b"\x02"
        file.write(_riff(b"ANMF", whole_and_unblended + _webp_picture(image, details)))
    file.write(_riff(b"EXIF", details.exif.removeprefix(b"Exif\0\0")) if details.exif else b"")
    file.write(_riff(b"XMP ", details.xmp) if details.xmp else b"")
    length = file.tell()
    file.seek(4)
    file.write(pack("<I", length - 8))


def _webp_picture(image: Image.Image, details: Details) -> bytes:
    """Return the chunks of a still WebP that hold its pixels."""
    still = _saved(image, "WEBP", quality=details.quality, lossless=details.lossless)
    place, kept = 12, b""
    while place < len(still):
        name, length = unpack_from("<4sI", still, place)
        end = place + 8 + length + length % 2
        kept += still[place:end] if name in (b"ALPH", b"VP8 ", b"VP8L") else b""
        place = end
    return kept


def write_png(file: BinaryIO, frames: Iterable[Frame], details: Details) -> None:
    """Write an animated PNG of eight bits; at the end go back for the number of its frames."""
    numbers, shown, place = count(), 0, 0
    for shown, (image, milliseconds) in enumerate(frames, start=1):
        chunks = _png_picture(image.convert("RGBA" if details.transparent else "RGB"), details)
        if shown == 1:
            file.write(b"\x89PNG\r\n\x1a\n" + _png(*chunks[0]))
            place = file.tell()
            file.write(_png(b"acTL", bytes(8)))
            file.writelines(_png(name, data) for name, data in chunks[1:] if name not in (b"IDAT", b"IEND"))
        seconds = milliseconds / 1000
        delay = Fraction(seconds).limit_denominator(int(65535 // (seconds + 1)) or 1)
        control = (next(numbers), *image.size, 0, 0, delay.numerator, delay.denominator, 0, 0)
        file.write(_png(b"fcTL", pack(">5I2H2B", *control)))
        drawn = [data for name, data in chunks if name == b"IDAT"]
        later = [_png(b"fdAT", pack(">I", next(numbers)) + data) for data in drawn] if shown > 1 else []
        file.writelines(later or [_png(b"IDAT", data) for data in drawn])
    file.write(_png(b"IEND", b""))
    file.seek(place)
    file.write(_png(b"acTL", pack(">2I", shown, 1 if details.loop is None else details.loop)))


def _png_picture(image: Image.Image, details: Details) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a still PNG, their names and what is in them."""
    texts = PngInfo()
    for name, text in details.texts.items():
        texts.add_itxt(name, text)
    if details.comment:
        texts.add_itxt("Comment", details.comment)
    if details.xmp:
        texts.add_itxt(XMP_IN_PNG, details.xmp.decode("utf-8", "replace"))
    still = _saved(image, "PNG", pnginfo=texts, icc_profile=details.icc_profile, exif=details.exif)
    place, chunks = 8, []
    while place < len(still):
        length, name = unpack_from(">I4s", still, place)
        chunks.append((name, still[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def _saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    try:
        image.save(buffer, image_format, **options)
    except Exception as error:  # encoders raise whatever they like
        raise FrameError(str(error)) from error
    return buffer.getvalue()


def _riff(name: bytes, data: bytes) -> bytes:
    return name + pack("<I", len(data)) + data + bytes(len(data) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _png(name: bytes, data: bytes) -> bytes:
    return pack(">I", len(data)) + name + data + pack(">I", crc32(name + data))


WRITERS = {"GIF": write_gif, "WEBP": write_webp, "PNG": write_png}
