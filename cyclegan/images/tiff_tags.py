"""What a TIFF's tags say of size, place and pages, brought up to date in the block of EXIF that holds them.

Tags: TIFF 6.0; GeoTIFF 1.1 (OGC 19-008); RPCs in GeoTIFF (2009). Descriptions: ImageJ's, OME-XML's, tifffile's.
"""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

HEADER = b"Exif\0\0"
DESCRIPTION, RESOLUTIONS = 270, (282, 283)  # the latter of width and height
PIXEL_SCALE, TIEPOINT, TRANSFORMATION, RPC = 33550, 33922, 34264, 50844
GEO_KEYS, RASTER_TYPE, PIXEL_IS_POINT = 34735, 1025, 2
ASCII, SHORT, RATIONAL, DOUBLE = 2, 3, 5, 12
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes
OF_STACKS = ("images", "slices", "channels", "frames", "hyperstack", "mode", "loop")  # in ImageJ's descriptions
OME_TYPES = {"float32": "float", "float64": "double"}
MOST_PIXELS = 10**5  # of a side: the denominator of a scale


@dataclass(frozen=True)
class Change:
    """What became of a picture: the first page of a file, resized."""

    scale: tuple[float, float]  # of width and height
    shape: tuple[int, ...]  # height, width and, if there are several, channels
    dtype: str  # of the values in the file, as NumPy names it


@dataclass
class Block:
    """The first directory of a block of EXIF."""

    data: bytearray  # a whole TIFF
    order: str  # of bytes, as `struct` takes it

    def entries(self) -> dict[int, tuple[int, int, int]]:
        """Return the place of each tag's entry, its type and its count."""
        (start,) = struct.unpack_from(self.order + "I", self.data, 4)
        (count,) = struct.unpack_from(self.order + "H", self.data, start)
        places = [start + 2 + 12 * number for number in range(count)]
        return {tag: (place, kind, n) for place in places for tag, kind, n in [self._unpacked("HHI", place)]}

    def read(self, tag: int, kind: int) -> bytes:
        """Return a tag's value; nothing if it is not there, or of another type."""
        place, found, count = self.entries().get(tag, (0, 0, 0))
        if found != kind:
            return b""
        size = count * TYPE_SIZES[kind]
        start = place + 8 if size <= 4 else self._unpacked("I", place + 8)[0]
        return bytes(self.data[start : start + size])

    def write(self, tag: int, value: bytes) -> None:
        """Give another value to a tag that is there; all else stays where it is."""
        place, kind, _ = self.entries()[tag]
        struct.pack_into(self.order + "I", self.data, place + 4, len(value) // TYPE_SIZES[kind])
        if len(value) <= 4:
            self.data[place + 8 : place + 12] = value.ljust(4, b"\0")
            return
        self.data += bytes(len(self.data) % 2)
        struct.pack_into(self.order + "I", self.data, place + 8, len(self.data))
        self.data += value

    def _unpacked(self, form: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data, place)


def brought_up_to_date(exif: bytes, change: Change) -> bytes:
    """Return a block of EXIF whose map coordinates and description are right for the picture as it is written."""
    tiff = exif.removeprefix(HEADER)
    try:
        block = Block(bytearray(tiff), {b"II": "<", b"MM": ">"}[tiff[:2]])
        _scale_map(block, *change.scale)
        if description := block.read(DESCRIPTION, ASCII):
            block.write(DESCRIPTION, described(description, change))
        if description.startswith(b"ImageJ="):
            _scale_resolution(block, change)
    except (KeyError, struct.error):
        return exif
    return HEADER + bytes(block.data)


def _scale_map(block: Block, across: float, down: float) -> None:
    """Scale map coordinates to a width and a height that are so many times the old ones."""
    shift = 0.5 if _counts_centres(block) else 0.0  # pixels, from what tie points count from to the corner

    def scale_tiepoints(values: list[float]) -> None:
        for start in range(0, len(values) - 5, 6):
            values[start] = (values[start] + shift) * across - shift
            values[start + 1] = (values[start + 1] + shift) * down - shift

    def scale_pixels(values: list[float]) -> None:
        values[0], values[1] = values[0] / across, values[1] / down

    def scale_matrix(values: list[float]) -> None:
        for row in range(0, 12, 4):
            a, b = values[row] / across, values[row + 1] / down
            values[row + 3] += shift * (a - values[row] + b - values[row + 1])
            values[row], values[row + 1] = a, b

    def scale_rpc(values: list[float]) -> None:
        for place, factor in {2: down, 3: across, 7: down, 8: across}.items():  # line and sample, offset and scale
            values[place] *= factor

    changes: dict[int, tuple[int, Callable[[list[float]], None]]] = {
        PIXEL_SCALE: (2, scale_pixels),
        TIEPOINT: (6, scale_tiepoints),
        TRANSFORMATION: (16, scale_matrix),
        RPC: (9, scale_rpc),
    }
    for tag, (fewest, change) in changes.items():
        data = block.read(tag, DOUBLE)
        form = f"{block.order}{len(data) // 8}d"
        values = list(struct.unpack(form, data))
        if len(values) >= fewest and (across, down) != (1, 1):
            change(values)
            block.write(tag, struct.pack(form, *values))


def _scale_resolution(block: Block, change: Change) -> None:
    """Scale the pixels per unit of ImageJ, whose unit may be a micrometre: the extent stays what it was."""
    for tag, scale in zip(RESOLUTIONS, change.scale, strict=True):
        if data := block.read(tag, RATIONAL):
            above, below = struct.unpack(block.order + "II", data)
            ratio = Fraction(above, below or 1) * Fraction(scale).limit_denominator(MOST_PIXELS)
            ratio = ratio.limit_denominator(MOST_PIXELS)
            block.write(tag, struct.pack(block.order + "II", ratio.numerator, ratio.denominator))


def _counts_centres(block: Block) -> bool:
    keys = block.read(GEO_KEYS, SHORT)
    values = struct.unpack(f"{block.order}{len(keys) // 2}H", keys)
    entries = [values[start : start + 4] for start in range(4, len(values) - 3, 4)]
    return (RASTER_TYPE, 0, 1, PIXEL_IS_POINT) in entries


def described(description: bytes, change: Change) -> bytes:
    """Return a description that promises no pages, sizes and types of numbers that are no longer there."""
    text = description.rstrip(b"\0")
    if text.startswith(b"ImageJ="):
        return re.sub(rb"(?m)^(?:%b)=.*\n?" % "|".join(OF_STACKS).encode(), b"", text) + b"\0"
    if text.lstrip()[:1] == b"<" and b"<OME" in text[:4096]:
        return _ome(text, change) + b"\0"
    if text.startswith(b'{"shape":'):
        return _tifffile(text, change) + b"\0"
    return description


def _ome(text: bytes, change: Change) -> bytes:
    """Return OME-XML for one plane of the first image, or nothing if it cannot be read."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
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


def _describe_plane(pixels: ElementTree.Element, namespace: str, change: Change) -> None:
    """Let OME's `Pixels` describe the one plane that is written."""
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
        if size := pixels.get(f"PhysicalSize{axis}"):
            pixels.set(f"PhysicalSize{axis}", f"{float(size) / scale:.10g}")


def _tifffile(text: bytes, change: Change) -> bytes:
    try:
        facts = json.loads(text)
    except ValueError:
        return b""
    return json.dumps(facts | {"shape": list(change.shape)}).encode()
