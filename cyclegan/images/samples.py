"""Sample values that are signed, wider than 16 bits or floating point as pixel values of 8 or 16 bits, and back."""

from dataclasses import dataclass

import numpy as np

from cyclegan.errors import PictureError
from cyclegan.images.convention import Pixels

WIDE_WHITE = 65535  # of whole numbers of 32 and 64 bits, which hold 16-bit values wherever programs write pictures
FLOAT_WHITE = 255.0  # of floating-point values, as Pillow means them


@dataclass(frozen=True)
class Samples:
    """The kind of numbers that a file holds, where it is neither 8 nor 16 bits without a sign."""

    dtype: str  # NumPy's name
    white: float  # the value of full brightness; black is 0

    def of_levels(self, levels: Pixels) -> np.ndarray:
        """Return pixel values as the file holds them."""
        values = levels * (self.white / np.iinfo(levels.dtype).max)
        return (values if self.dtype.startswith("float") else np.rint(values)).astype(self.dtype)


def levels_of(values: np.ndarray, bits: int) -> tuple[Pixels, Samples | None]:
    """Return the 8-bit or 16-bit pixel values that sample values of so many bits mean, and the kind of these samples.

    No kind (`None`) means that 8 or 16 bits without a sign hold them too. Values whose white or black is not known are
    a `PictureError`.
    """
    if values.dtype.kind in "bu" and bits <= 16:
        return _stretched(values, 2**bits - 1, 8 if bits <= 8 else 16), None
    if values.dtype.kind not in "uif":
        raise PictureError(f"its pixels are of the kind {values.dtype}, which no picture has.", "Save it with 16 bits.")
    _check_range(values)
    samples = Samples(str(values.dtype), _white(values.dtype))
    return _stretched(values, samples.white, 8 if values.dtype.itemsize == 1 else 16), samples


def _white(dtype: np.dtype) -> float:
    if dtype.kind == "f":
        return FLOAT_WHITE
    return min(int(np.iinfo(dtype).max), WIDE_WHITE)


def _check_range(values: np.ndarray) -> None:
    low, high, white = values.min(), values.max(), _white(values.dtype)
    if values.dtype.kind == "i" and low < 0:
        raise PictureError(
            f"its values have a sign and go from {low} to {high}, so it is not known which of them is black.",
            "Save it with 16 bits without a sign, black at 0 and white at 65,535.",
        )
    if not (low >= 0 and high <= white) or (values.dtype.kind == "f" and 0 < high <= 1):
        raise PictureError(
            f"its values go from {low:g} to {high:g}, and 0 to {white:g} is what can be read.",
            "Save it with 16 bits, black at 0 and white at 65,535.",
        )


def _stretched(values: np.ndarray, white: float, bits: int) -> Pixels:
    """Return values from 0 to `white` as pixel values of 8 or 16 bits."""
    if values.dtype == f"uint{bits}" and white == 2**bits - 1:
        return values
    stretched: Pixels = np.rint(values.astype(np.float64) * ((2**bits - 1) / white)).astype(f"uint{bits}")
    return stretched
