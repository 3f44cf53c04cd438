"""The header of a JPEG XL codestream (ISO/IEC 18181-1, annexes B to E): size and colors, which imagecodecs drops."""

from dataclasses import dataclass

from cyclegan.errors import UnreadableError
from cyclegan.images.cicp import UNSPECIFIED_CODE_POINTS, CodePoints, boxes

SIGNATURE = b"\xff\x0a"
CONTAINER_SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
MAX_JXL_HEADER_BYTES = 4096  # of a header without an ICC profile
RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width over height; the first unused
ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))  # how numbers of a list are coded, as in `Bits.choice`
GRAY, XYB = 1, 2  # colour spaces
ALPHA, SPOT, CFA = 0, 2, 5  # kinds of extra channels
D65, CUSTOM = 1, 2  # white points; primaries too can be custom
P3 = 11  # primaries


@dataclass(frozen=True)
class JXLHeader:
    """A codestream's facts about its picture, as it is decoded: with the orientation applied."""

    width: int
    height: int
    bits: int
    floating: bool
    gray: bool
    alpha: bool
    animated: bool
    colors: CodePoints


class Bits:
    """Reads numbers from bytes, the lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self.remaining = int.from_bytes(data[:MAX_JXL_HEADER_BYTES], "little")

    def number(self, bits: int) -> int:
        """Read an unsigned number."""
        value = self.remaining & ((1 << bits) - 1)
        self.remaining >>= bits
        return value

    def choice(self, *distributions: tuple[int, int]) -> int:
        """Read a number by one of four distributions, each an offset and a number of bits: the standard's U32."""
        offset, bits = distributions[self.number(2)]
        return offset + self.number(bits)


def metadata_boxes(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return a file's codestream, and the boxes of its container, if it has one."""
    if data.startswith(SIGNATURE):
        return data, {}
    container = list(boxes(data))
    codestream = [
        payload[4:] if kind == b"jxlp" else payload for kind, payload in container if kind in (b"jxlc", b"jxlp")
    ]
    return b"".join(codestream), dict(container)


def read_jxl_header(codestream: bytes) -> JXLHeader:
    """Read the header of a codestream; unknown colors are an `UnreadableError`."""
    bits = Bits(codestream[2:])
    height, width = _size(bits)
    header = JXLHeader(width, height, 8, False, False, False, False, CodePoints(1, 13))
    if bits.number(1):  # all default
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
    bits.number(1)  # whether it is coded in XYB, which decoders convert
    gray, colors = _colors(bits)
    if orientation > 4:
        width, height = height, width
    return JXLHeader(width, height, depth, floating, gray, ALPHA in kinds, animated, colors)


def _size(bits: Bits) -> tuple[int, int]:
    """Read a height and a width."""
    small = bits.number(1)

    def length() -> int:
        return 8 * (1 + bits.number(5)) if small else bits.choice((1, 9), (1, 13), (1, 18), (1, 30))

    height, ratio = length(), bits.number(3)
    return height, height * RATIOS[ratio][0] // RATIOS[ratio][1] if ratio else length()


def _preview_size(bits: Bits) -> None:
    small = bits.number(1)
    distributions = ((16, 0), (32, 0), (1, 5), (33, 9)) if small else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.choice(*distributions)
    if bits.number(3) == 0:
        bits.choice(*distributions)


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
    """Read the kind of an extra channel."""
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


def _colors(bits: Bits) -> tuple[bool, CodePoints]:
    """Read whether a picture is gray, and the code points of its colors."""
    if bits.number(1):
        return False, CodePoints(1, 13)
    has_profile, space = bits.number(1), bits.choice(*ENUM)
    if has_profile or space == XYB:
        raise _unknown_colors()
    white = bits.choice(*ENUM)
    primaries = 1 if white == CUSTOM or space == GRAY else bits.choice(*ENUM)
    if white == CUSTOM or primaries == CUSTOM or bits.number(1):  # or a gamma of its own
        raise _unknown_colors()
    transfer = bits.choice(*ENUM)
    if primaries == P3 and white == D65:
        primaries = 12
    elif white != D65 and primaries not in UNSPECIFIED_CODE_POINTS:
        raise _unknown_colors()
    return space == GRAY, CodePoints(primaries, transfer)


def _unknown_colors() -> UnreadableError:
    return UnreadableError("its colours are said by a profile that is not read here.", "Save it as PNG, TIFF or JPEG.")
