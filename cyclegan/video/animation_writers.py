"""Writers of animated GIF, WebP and PNG that encode one frame at a time; Pillow's `save_all` gathers all in memory.

Pillow encodes every frame, as a picture that covers the whole canvas: docs/decisions/0010.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from itertools import count
from struct import pack, unpack_from
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import GifImagePlugin, Image
from PIL.PngImagePlugin import PngInfo, getchunks, putchunk

from cyclegan.images.metadata import XMP_IN_PNG, gif_xmp_block

DEFAULT_WEBP_QUALITY = 95
OPAQUE_ALPHA = 128  # of 255; a GIF's pixels with less are transparent


class EncodeError(Exception):
    """Pillow cannot encode a frame in a format."""


class AnimationFrame(NamedTuple):
    """One picture of an animation, RGB or RGBA, and its duration."""

    image: Image.Image
    milliseconds: float


@dataclass(frozen=True)
class AnimationInfo:
    """Everything that an animation holds beside its frames."""

    has_alpha: bool = True
    loop: int | None = None  # how often it is shown, 0 for ever; None: the file does not say
    comment: str = ""
    xmp: bytes = b""
    icc_profile: bytes = b""
    exif: bytes = b""
    texts: Mapping[str, str] = field(default_factory=dict)  # of a PNG
    lossless: bool = False  # of a WebP
    quality: int = DEFAULT_WEBP_QUALITY


def write_gif(file: BinaryIO, frames: Iterable[AnimationFrame], info: AnimationInfo) -> None:
    """Write a GIF whose every frame has its own palette."""
    for number, (image, milliseconds) in enumerate(frames):
        indexed, transparent_index = with_palette(image)
        if number == 0:
            header = {"loop": info.loop, "comment": info.comment.encode(), "duration": milliseconds}
            file.writelines(GifImagePlugin.getheader(indexed, info=header)[0])
        options: dict[str, Any] = {"duration": milliseconds, "disposal": 2, "include_color_table": True}
        if transparent_index is not None:
            options["transparency"] = transparent_index
        file.writelines(GifImagePlugin.getdata(indexed, **options))
    file.write(gif_xmp_block(info.xmp) + b";")


def with_palette(image: Image.Image) -> tuple[Image.Image, int | None]:
    """Return an image in at most 256 colours, dithered, and the palette index of transparency, if it has any."""
    rgb = image.convert("RGB")
    alpha = np.array(image.getchannel("A")) if image.mode == "RGBA" else None
    if alpha is None or alpha.min() >= OPAQUE_ALPHA:
        return rgb.quantize(palette=rgb.quantize(256, Image.Quantize.MEDIANCUT)), None
    indexed = rgb.quantize(palette=rgb.quantize(255, Image.Quantize.MEDIANCUT))
    indices = np.array(indexed)
    indices[alpha < OPAQUE_ALPHA] = 255
    masked = Image.fromarray(indices)
    masked.putpalette(np.resize(indexed.getpalette() or [0], 768).tolist())
    return masked, 255


def write_webp(file: BinaryIO, frames: Iterable[AnimationFrame], info: AnimationInfo) -> None:
    """Write an animated WebP; at the end fill in its length."""
    flags = 0x02 | 0x10 * info.has_alpha | 0x20 * bool(info.icc_profile)
    flags |= 0x08 * bool(info.exif) | 0x04 * bool(info.xmp)
    for number, (image, milliseconds) in enumerate(frames):
        size = _uint24(image.width - 1) + _uint24(image.height - 1)
        if number == 0:
            file.write(b"RIFF\0\0\0\0WEBP" + _riff_chunk(b"VP8X", pack("<I", flags) + size))
            file.write(_riff_chunk(b"ICCP", info.icc_profile) if info.icc_profile else b"")
            file.write(_riff_chunk(b"ANIM", pack("<IH", 0, 1 if info.loop is None else info.loop)))
        header = _uint24(0) + _uint24(0) + size + _uint24(round(milliseconds)) + b"\x02"  # x, y, ..., not blended
        file.write(_riff_chunk(b"ANMF", header + _webp_image_chunks(image, info)))
    file.write(_riff_chunk(b"EXIF", info.exif.removeprefix(b"Exif\0\0")) if info.exif else b"")
    file.write(_riff_chunk(b"XMP ", info.xmp) if info.xmp else b"")
    length = file.tell()
    file.seek(4)
    file.write(pack("<I", length - 8))


def _webp_image_chunks(image: Image.Image, info: AnimationInfo) -> bytes:
    """Return the chunks of a still WebP that hold its pixels."""
    buffer = BytesIO()
    with _encode_errors():
        image.save(buffer, "WEBP", quality=info.quality, lossless=info.lossless)
    still = buffer.getvalue()
    offset, chunks = 12, b""
    while offset < len(still):
        name, length = unpack_from("<4sI", still, offset)
        end = offset + 8 + length + length % 2
        chunks += still[offset:end] if name in (b"ALPH", b"VP8 ", b"VP8L") else b""
        offset = end
    return chunks


def write_png(file: BinaryIO, frames: Iterable[AnimationFrame], info: AnimationInfo) -> None:
    """Write an animated PNG of eight bits; at the end fill in the number of its frames."""
    sequence_numbers, frame_count, control_offset = count(), 0, 0
    for frame_count, (image, milliseconds) in enumerate(frames, start=1):
        chunks = _png_chunks(image.convert("RGBA" if info.has_alpha else "RGB"), info)
        if frame_count == 1:
            file.write(b"\x89PNG\r\n\x1a\n")
            putchunk(file, *chunks[0])
            control_offset = file.tell()
            putchunk(file, b"acTL", bytes(8))
            for name, data in chunks[1:]:
                if name not in (b"IDAT", b"IEND"):
                    putchunk(file, name, data)
        seconds = milliseconds / 1000
        delay = Fraction(seconds).limit_denominator(int(65535 // (seconds + 1)) or 1)
        control = (next(sequence_numbers), *image.size, 0, 0, delay.numerator, delay.denominator, 0, 0)
        putchunk(file, b"fcTL", pack(">5I2H2B", *control))
        for data in (data for name, data in chunks if name == b"IDAT"):
            if frame_count == 1:
                putchunk(file, b"IDAT", data)
            else:
                putchunk(file, b"fdAT", pack(">I", next(sequence_numbers)), data)
    putchunk(file, b"IEND", b"")
    file.seek(control_offset)
    putchunk(file, b"acTL", pack(">2I", frame_count, 1 if info.loop is None else info.loop))


def _png_chunks(image: Image.Image, info: AnimationInfo) -> list[tuple[bytes, bytes]]:
    """Return the names and data of the chunks of a still PNG."""
    texts = PngInfo()
    for name, text in info.texts.items():
        texts.add_itxt(name, text)
    if info.comment:
        texts.add_itxt("Comment", info.comment)
    if info.xmp:
        texts.add_itxt(XMP_IN_PNG, info.xmp.decode("utf-8", "replace"))
    with _encode_errors():
        chunks = getchunks(image, pnginfo=texts, icc_profile=info.icc_profile, exif=info.exif)
    return [(name, data) for name, data, _ in chunks]


@contextmanager
def _encode_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Pillow's encoders raise errors of many kinds
        raise EncodeError(str(error)) from error


def _riff_chunk(name: bytes, data: bytes) -> bytes:
    return name + pack("<I", len(data)) + data + bytes(len(data) % 2)


def _uint24(number: int) -> bytes:
    return number.to_bytes(3, "little")


WRITERS = {"GIF": write_gif, "WEBP": write_webp, "PNG": write_png}
