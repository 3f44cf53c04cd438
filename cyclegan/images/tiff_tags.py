"""Sizes, coordinates and descriptions in a TIFF's tags, updated for the one page that is written.

Descriptions: ImageJ's, OME-XML's, tifffile's.
"""

import json
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from cyclegan.images.exif_block import ASCII, RATIONAL, Block, ExifError
from cyclegan.images.geotiff import scale_coordinates

DESCRIPTION, RESOLUTIONS = 270, (282, 283)  # the latter of width and height
STACK_KEYS = ("images", "slices", "channels", "frames", "hyperstack", "mode", "loop")  # in ImageJ's descriptions
OME_TYPES = {"float32": "float", "float64": "double"}
MAX_DENOMINATOR, MAX_NUMERATOR = 10**5, 2**32 - 1  # of a resolution


@dataclass(frozen=True)
class FileChange:
    """The difference between a file and the picture that is written: the first page, maybe resized."""

    scale: tuple[float, float]  # of width and height
    shape: tuple[int, ...]  # height, width and, if there are several, channels
    dtype: str  # of the values in the file, as NumPy names it


def update_tags(exif: bytes, change: FileChange) -> bytes:
    """Return a block of EXIF whose map coordinates and description are right for the picture that is written."""
    try:
        block = Block(exif)
        scale_coordinates(block, *change.scale)
        old = block.value(DESCRIPTION, ASCII)
        new = update_description(old, change)
        if new != old:
            block.set_value(DESCRIPTION, ASCII, new)
        if old.startswith(b"ImageJ="):
            _scale_resolution(block, change)
    except ExifError:
        return exif
    return bytes(block)


def _scale_resolution(block: Block, change: FileChange) -> None:
    """Scale ImageJ's pixels per unit, which may be a micrometer, so that the extent stays the same."""
    for tag, scale in zip(RESOLUTIONS, change.scale, strict=True):
        if data := block.value(tag, RATIONAL):
            numerator, denominator = struct.unpack_from(block.order + "II", data)
            ratio = Fraction(numerator, denominator or 1) * Fraction(scale).limit_denominator(MAX_DENOMINATOR)
            ratio = ratio.limit_denominator(MAX_DENOMINATOR)
            if ratio.numerator <= MAX_NUMERATOR:  # else it is damaged, and stays so
                numbers = struct.pack(block.order + "II", ratio.numerator, ratio.denominator)
                block.set_value(tag, RATIONAL, numbers)


def update_description(description: bytes, change: FileChange) -> bytes:
    """Return a description with the pages, size and number type that are written."""
    text = description.rstrip(b"\0")
    if text.startswith(b"ImageJ="):
        return re.sub(rb"(?m)^(?:%b)=.*\n?" % "|".join(STACK_KEYS).encode(), b"", text) + b"\0"
    if text.lstrip()[:1] == b"<" and b"<OME" in text[:4096]:
        return _ome(text, change) + b"\0"
    if text.startswith(b'{"shape":'):
        return _tifffile(text, change) + b"\0"
    return description


def _ome(text: bytes, change: FileChange) -> bytes:
    """Return OME-XML for one plane of the first image; empty if it cannot be read."""
    try:
        return _ome_of_plane(ElementTree.fromstring(text), change)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):  # of its encoding, and of its depth
        return b""


def _ome_of_plane(root: ElementTree.Element, change: FileChange) -> bytes:
    if not root.tag.startswith("{"):
        return b""
    namespace = root.tag.partition("}")[0] + "}"
    images = root.findall(f"{namespace}Image")
    pixels = images[0].find(f"{namespace}Pixels") if images else None
    if pixels is None:
        return b""
    for image in images[1:]:
        root.remove(image)
    _describe_plane(pixels, namespace, change)
    ElementTree.register_namespace("", namespace[1:-1])
    written: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _describe_plane(pixels: ElementTree.Element, namespace: str, change: FileChange) -> None:
    """Make OME's `Pixels` describe the one plane that is written."""
    for name in ("TiffData", "Plane", "BinData", "MetadataOnly"):
        for element in pixels.findall(namespace + name):
            pixels.remove(element)
    for element in pixels.findall(f"{namespace}Channel")[1:]:
        pixels.remove(element)
    height, width, channels = (*change.shape, 1)[:3]
    for channel in pixels.findall(f"{namespace}Channel"):
        channel.set("SamplesPerPixel", str(channels))
    pixels.append(ElementTree.Element(f"{namespace}TiffData"))
    sizes = {"SizeX": width, "SizeY": height, "SizeZ": 1, "SizeC": channels, "SizeT": 1}
    pixels.attrib |= {name: str(size) for name, size in sizes.items()}
    pixels.set("Type", OME_TYPES.get(change.dtype, change.dtype))
    pixels.attrib.pop("SignificantBits", None)
    for axis, scale in zip("XY", change.scale, strict=True):
        with suppress(ValueError):
            if size := pixels.get(f"PhysicalSize{axis}"):
                pixels.set(f"PhysicalSize{axis}", f"{float(size) / scale:.10g}")


def _tifffile(text: bytes, change: FileChange) -> bytes:
    try:
        description = json.loads(text)
    except (ValueError, RecursionError):
        return b""
    return json.dumps(description | {"shape": list(change.shape)}).encode()
