"""Map coordinates in a TIFF's tags, scaled with the picture so that the map stays in its place.

GeoTIFF 1.1 (OGC 19-008); RPCs in GeoTIFF (2009).
"""

import struct
from collections.abc import Callable

from cyclegan.images.exif_block import DOUBLE, SHORT, Block

PIXEL_SCALE, TIEPOINT, TRANSFORMATION, RPC = 33550, 33922, 34264, 50844
GEO_KEYS, RASTER_TYPE, PIXEL_IS_POINT = 34735, 1025, 2


def scale_coordinates(block: Block, across: float, down: float) -> None:
    """Scale map coordinates for a width and a height that are so many times the old ones."""
    if (across, down) == (1, 1):
        return
    offset = 0.5 if _counts_from_centers(block) else 0.0  # pixels, from the origin of tie points to the corner
    for tag, (min_values, scale) in SCALINGS.items():
        data = block.value(tag, DOUBLE)
        layout = f"{block.order}{len(data) // 8}d"
        values = list(struct.unpack(layout, data))
        if len(values) >= min_values:
            scale(values, across, down, offset)
            block.set_value(tag, DOUBLE, struct.pack(layout, *values))


def _scale_tiepoints(values: list[float], across: float, down: float, offset: float) -> None:
    for start in range(0, len(values) - 5, 6):
        values[start] = (values[start] + offset) * across - offset
        values[start + 1] = (values[start + 1] + offset) * down - offset


def _scale_pixels(values: list[float], across: float, down: float, _offset: float) -> None:
    values[0], values[1] = values[0] / across, values[1] / down


def _scale_matrix(values: list[float], across: float, down: float, offset: float) -> None:
    for row in range(0, 12, 4):
        a, b = values[row] / across, values[row + 1] / down
        values[row + 3] += offset * (a - values[row] + b - values[row + 1])
        values[row], values[row + 1] = a, b


def _scale_rpc(values: list[float], across: float, down: float, _offset: float) -> None:
    for index, factor in {2: down, 3: across, 7: down, 8: across}.items():  # offset and scale of line and sample
        values[index] *= factor


SCALINGS: dict[
    int, tuple[int, Callable[[list[float], float, float, float], None]]
] = {  # tag -> fewest values, function
    PIXEL_SCALE: (2, _scale_pixels),
    TIEPOINT: (6, _scale_tiepoints),
    TRANSFORMATION: (16, _scale_matrix),
    RPC: (9, _scale_rpc),
}


def _counts_from_centers(block: Block) -> bool:
    """Tell whether coordinates are those of pixels' centers and not of their corners."""
    keys = block.value(GEO_KEYS, SHORT)
    values = struct.unpack(f"{block.order}{len(keys) // 2}H", keys)
    entries = [values[start : start + 4] for start in range(4, len(values) - 3, 4)]
    return (RASTER_TYPE, 0, 1, PIXEL_IS_POINT) in entries
