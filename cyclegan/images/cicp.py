"""Coding-independent code points (CICP, ITU-T H.273): colors as numbers, in HEIC, AVIF, PNG and ICC profiles."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from imagecodecs import cms_profile
from PIL import Image

from cyclegan.errors import UnreadableError
from cyclegan.images.formats import GRAY_MODES

C, D65, DCI = (0.310, 0.316), (0.3127, 0.3290), (0.314, 0.351)  # whites, x and y
PRIMARIES = {  # number (H.273, table 2) -> white, red, green, blue, each x and y
    1: (*D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060),  # BT.709, sRGB
    4: (*C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),  # BT.470 M
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),  # BT.470 BG, PAL
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # SMPTE 170M, NTSC
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),  # SMPTE 240M
    8: (*C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),  # film
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (*DCI, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # DCI-P3
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),  # EBU 3213
}
SRGB_TRANSFER = 13
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
UNSPECIFIED_CODE_POINTS = (0, 2, 3)  # or reserved; readers take sRGB
CURVE_POINTS = 1024


class CodePoints(NamedTuple):
    """The numbers of a picture's primaries and transfer function."""

    primaries: int
    transfer: int


def _power(gamma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values**gamma


def _with_linear_part(gamma: float, offset: float, slope: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the inverse of (1 + offset) x^(1/gamma) - offset, which begins with a line of this slope."""
    knee = offset / (gamma - 1)  # where both have one value and one slope
    return lambda values: np.where(values <= knee, values / slope, ((values + offset) / (1 + offset)) ** gamma)


BT709 = _with_linear_part(1 / 0.45, 0.099296826809442, 4.5)
TRANSFERS = {  # number (H.273, table 3) -> from stored values to light, both 0 to 1
    1: BT709,
    4: _power(2.2),
    5: _power(2.8),
    6: BT709,
    7: _with_linear_part(1 / 0.45, 0.1115, 4.0),
    8: _power(1.0),
    11: BT709,
    12: BT709,
    SRGB_TRANSFER: _with_linear_part(2.4, 0.055, 12.92),
    14: BT709,
    15: BT709,
}


def profile_from_code_points(image: Image.Image, path: Path) -> bytes:
    """Return an ICC profile of an opened file's code points, which Pillow does not read; empty for sRGB.

    High dynamic range, also in the file's own ICC profile, is an `UnreadableError`.
    """
    own = image.info.get("icc_profile") or b""
    refuse_hdr(code_points_of_profile(own))
    gray = image.mode in GRAY_MODES
    if image.format == "PNG":  # where they come before an ICC profile
        return profile_of(code_points_of_png(path), gray=gray)
    if own:
        return b""
    if image.format == "AVIF":
        return profile_of(code_points_of_avif(path.read_bytes()), gray=gray)
    if image.format == "JPEG2000":
        return jp2_profile(path.read_bytes())
    if nclx := image.info.get("nclx_profile"):  # of a HEIC
        return profile_of(CodePoints(nclx["color_primaries"], nclx["transfer_characteristics"]), gray=gray)
    return b""


def profile_of(points: CodePoints | None, *, gray: bool = False) -> bytes:
    """Return an ICC profile of these code points; empty for sRGB. High dynamic range is an `UnreadableError`."""
    if points is None:
        return b""
    refuse_hdr(points)
    primaries = 1 if points.primaries in UNSPECIFIED_CODE_POINTS else points.primaries
    transfer = SRGB_TRANSFER if points.transfer in UNSPECIFIED_CODE_POINTS else points.transfer
    if primaries not in PRIMARIES or transfer not in TRANSFERS:
        raise UnreadableError(
            f"its colours are said by numbers (CICP {primaries}/{transfer}) that are not known here.",
            "Save it in sRGB or Display P3.",
        )
    primaries = 1 if gray else primaries
    return b"" if (primaries, transfer) == (1, SRGB_TRANSFER) else _make_profile(primaries, transfer, gray)


@cache
def _make_profile(primaries: int, transfer: int, gray: bool) -> bytes:
    white_x, white_y, *colors = PRIMARIES[primaries]
    curve = np.rint(TRANSFERS[transfer](np.linspace(0, 1, CURVE_POINTS)) * 65535).astype(np.uint16)
    shape = {"transferfunction": curve} if gray else {"transferfunction": curve, "primaries": colors}
    made: bytes = cms_profile("gray" if gray else "rgb", whitepoint=(white_x, white_y), **shape)
    return made


def refuse_hdr(points: CodePoints | None) -> None:
    """Raise an error if the code points are those of high dynamic range."""
    if points and points.transfer in HDR_TRANSFERS:
        raise UnreadableError(
            f"its colours have a high dynamic range ({HDR_TRANSFERS[points.transfer]}), which is not read here.",
            "Save it in standard dynamic range, in sRGB or Display P3.",
        )


def code_points_of_profile(profile: bytes) -> CodePoints | None:
    """Return the code points of an ICC profile's `cicp` tag (ICC.1:2022, 9.2.17)."""
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        tag, offset = profile[at : at + 4], int.from_bytes(profile[at + 4 : at + 8], "big")
        if tag == b"cicp" and len(profile) >= offset + 12:
            return CodePoints(*profile[offset + 8 : offset + 10])
        if not tag:
            break
    return None


def code_points_of_png(path: Path) -> CodePoints | None:
    """Return the code points of a PNG's cICP chunk (PNG, third edition, 11.3.2.6)."""
    with path.open("rb") as file:
        file.seek(8)
        while len(header := file.read(8)) == 8 and header[4:] != b"IDAT":
            length = int.from_bytes(header[:4], "big")
            if header[4:] == b"cICP" and length == 4:
                primaries, transfer, _matrix, full_range = file.read(4)
                if not full_range:
                    raise UnreadableError("its colours have a narrow range, which is not read here.", "Save it anew.")
                return CodePoints(primaries, transfer)
            file.seek(length + 4, 1)
    return None


def code_points_of_avif(data: bytes) -> CodePoints | None:
    """Return the code points of an AVIF's primary item, in its `colr` box (ISO/IEC 23008-12, 6.5.5)."""
    inner = dict(boxes(box_in(data, b"meta")[4:]))
    wide = inner.get(b"pitm", b"\0")[:1] != b"\0"
    primary = int.from_bytes(inner.get(b"pitm", b"")[4 : 8 if wide else 6], "big")
    properties = list(boxes(box_in(inner.get(b"iprp", b""), b"ipco")))
    for number in properties_of_item(box_in(inner.get(b"iprp", b""), b"ipma"), primary):
        kind, payload = properties[number - 1] if 0 < number <= len(properties) else (b"", b"")
        if kind == b"colr" and payload[:4] == b"nclx" and len(payload) >= 8:
            return CodePoints(int.from_bytes(payload[4:6], "big"), int.from_bytes(payload[6:8], "big"))
    return None


def properties_of_item(associations: bytes, item: int) -> Iterator[int]:
    """Yield the numbers, from 1, of an item's properties, as an `ipma` box lists them."""
    identity, number = (4 if associations[:1] > b"\0" else 2), (2 if associations[3:4] > b"\0" else 1)
    offset = 8
    while offset + identity < len(associations):
        found = int.from_bytes(associations[offset : offset + identity], "big")
        first = offset + identity + 1
        offset = first + number * associations[first - 1]
        if found == item:
            for at in range(first, offset, number):
                # the first bit tells whether readers must know the property
                yield int.from_bytes(associations[at : at + number], "big") & (2 ** (8 * number - 1) - 1)


def jp2_profile(data: bytes) -> bytes:
    """Return the ICC profile of a JPEG 2000 file (ISO/IEC 15444-1, I.5.3.3), which Pillow does not read."""
    for kind, payload in boxes(box_in(data, b"jp2h")):
        if kind == b"colr" and payload[:1] in (b"\2", b"\3"):
            return payload[3:]
    return b""


def box_in(data: bytes, wanted: bytes) -> bytes:
    """Return the payload of the first box of a kind; empty if there is none."""
    return next((payload for kind, payload in boxes(data) if kind == wanted), b"")


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the payload of each box, as in MP4 (ISO/IEC 14496-12, 4.2); a truncated box ends them."""
    offset = 0
    while offset + 8 <= len(data):
        size, kind, header = int.from_bytes(data[offset : offset + 4], "big"), data[offset + 4 : offset + 8], 8
        if size == 1:
            size, header = int.from_bytes(data[offset + 8 : offset + 16], "big"), 16
        end = offset + size if size else len(data)
        if size and size < header:
            return
        yield kind, data[offset + header : end]
        offset = end
