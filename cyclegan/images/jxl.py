"""The header of a JPEG XL codestream (ISO/IEC 18181-1, annexes B to E): size and colours, which imagecodecs drops."""

from dataclasses import dataclass

from cyclegan.errors import PictureError
from cyclegan.images.cicp import UNSPECIFIED, CodePoints, boxes

SIGNATURE = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
MOST_BYTES = 4096  # of a header without an ICC profile
RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width over height; the first unused
ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))  # how numbers of a list are coded, as in `Bits.choice`
GREY, XYB = 1, 2  # colour spaces
ALPHA, SPOT, CFA = 0, 2, 5  # kinds of extra channels
D65, CUSTOM = 1, 2  # white points; primaries too can be custom
P3 = 11  # primaries


@dataclass(frozen=True)
class Header:
    """What a codestream says of its picture, as it is decoded: upright."""

    width: int
    height: int
    bits: int
    floating: bool
    grey: bool
    alpha: bool
    animated: bool
    colours: CodePoints


class Bits:
    """Reads numbers from bytes, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self.rest = int.from_bytes(data[:MOST_BYTES], "little")

    def number(self, bits: int) -> int:
        """Read an unsigned number."""
        value = self.rest & ((1 << bits) - 1)
        self.rest >>= bits
        return value

    def choice(self, *ways: tuple[int, int]) -> int:
        """Read which of four ways follows, each a number to add and bits to read: the standard's U32."""
        added, bits = ways[self.number(2)]
        return added + self.number(bits)


def metadata_boxes(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return a file's codestream, and the boxes of its container, if it has one."""
    if data.startswith(SIGNATURE):
        return data, {}
    found = list(boxes(data))
    parts = [payload[4:] if kind == b"jxlp" else payload for kind, payload in found if kind in (b"jxlc", b"jxlp")]
    return b"".join(parts), dict(found)


def read_header(codestream: bytes) -> Header:
    """Read the header of a codestream; colours that cannot be followed are a `PictureError`."""
    bits = Bits(codestream[2:])
    height, width = _size(bits)
    header = Header(width, height, 8, False, False, False, False, CodePoints(1, 13))
    if bits.number(1):  # all else is as usual
        return header
    orientation, animated = 1, False
    if bits.number(1):
        orientation = 1 + bits.number(3)
        if bits.number(1):
            _size(bits)
        if bits.number(1):
            _preview_size(bits)
        if animated := bool(bits.number(1)):
            _animation(bits)
    depth, floating = _depth(bits)
    bits.number(1)  # whether 16 bits suffice to decode
    kinds = [_extra_channel(bits) for _ in range(bits.choice((0, 0), (1, 0), (2, 4), (1, 12)))]
    bits.number(1)  # whether it is coded in XYB, which decoders undo
    grey, colours = _colours(bits)
    if orientation > 4:
        width, height = height, width
    return Header(width, height, depth, floating, grey, ALPHA in kinds, animated, colours)


def _size(bits: Bits) -> tuple[int, int]:
    """Read a height and a width."""
    small = bits.number(1)

    def side() -> int:
        return 8 * (1 + bits.number(5)) if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))

    height, ratio = side(), bits.number(3)
    return height, height * RATIOS[ratio][0] // RATIOS[ratio][1] if ratio else side()


def _preview_size(bits: Bits) -> None:
    small = bits.number(1)
    ways = ((16, 0), (32, 0), (1, 5), (33, 9)) if small else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.choice(*ways)
    if bits.number(3) == 0:
        bits.choice(*ways)


def _animation(bits: Bits) -> None:
    bits.choice((100, 0), (1000, 0), (1, 10), (1, 30))  # ticks in a second, and what they are divided by
    bits.choice((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choice((0, 0), (0, 3), (0, 16), (0, 32))  # loops
    bits.number(1)


def _depth(bits: Bits) -> tuple[int, bool]:
    """Read the bits of a value, and whether it is floating-point."""
    if bits.number(1):
        depth = bits.choice((32, 0), (16, 0), (24, 0), (1, 6))
        bits.number(4)
        return depth, True
    return bits.choice((8, 0), (10, 0), (12, 0), (1, 6)), False


def _extra_channel(bits: Bits) -> int:
    """Read what an extra channel is."""
    if bits.number(1):
        return ALPHA
    kind = bits.choice(*ENUM)
    _depth(bits)
    bits.choice((0, 0), (3, 0), (4, 0), (1, 3))
    bits.number(8 * bits.choice((0, 0), (0, 4), (16, 5), (48, 10)))  # its name
    if kind == ALPHA:
        bits.number(1)
    elif kind == SPOT:
        bits.number(4 * 16)
    elif kind == CFA:
        bits.choice((1, 0), (0, 2), (3, 4), (19, 8))
    return kind


def _colours(bits: Bits) -> tuple[bool, CodePoints]:
    """Read whether a picture is grey, and the code points of its colours."""
    if bits.number(1):
        return False, CodePoints(1, 13)
    has_profile, space = bits.number(1), bits.choice(*ENUM)
    if has_profile or space == XYB:
        raise _unknown_colours()
    white = bits.choice(*ENUM)
    primaries = 1 if white == CUSTOM or space == GREY else bits.choice(*ENUM)
    if white == CUSTOM or primaries == CUSTOM or bits.number(1):  # or a gamma of its own
        raise _unknown_colours()
    transfer = bits.choice(*ENUM)
    if primaries == P3 and white == D65:
        primaries = 12
    elif white != D65 and primaries not in UNSPECIFIED:
        raise _unknown_colours()
    return space == GREY, CodePoints(primaries, transfer)


def _unknown_colours() -> PictureError:
    return PictureError("its colours are said by a profile that is not read here.", "Save it as PNG, TIFF or JPEG.")
