"""TIFF samples that are signed, wider than 16 bits or floating point: to pixel values of 8 or 16 bits, and back."""

from dataclasses import dataclass

import numpy as np

from cyclegan.errors import UnreadableError
from cyclegan.images.pixels import Pixels

INTEGER_WHITE = 65535  # of integers of 32 and 64 bits: programs that write pictures put 16-bit values there
FLOAT_WHITE = 255.0  # as in Pillow's mode F


@dataclass(frozen=True)
class SampleFormat:
    """The type of a file's samples, where it is neither uint8 nor uint16."""

    dtype: str  # NumPy's name
    white: float  # the value of white; black is 0

    def to_samples(self, values: Pixels) -> np.ndarray:
        """Convert pixel values of 8 or 16 bits to samples of this type."""
        samples = values * (self.white / np.iinfo(values.dtype).max)
        return (samples if self.dtype.startswith("float") else np.rint(samples)).astype(self.dtype)


def to_pixel_values(samples: np.ndarray, bits: int) -> tuple[Pixels, SampleFormat | None]:
    """Convert samples of so many bits to pixel values of 8 or 16 bits; the format is None if these can replace them.

    Samples whose black or white is unknown are an `UnreadableError`.
    """
    if samples.dtype.kind in "bu" and bits <= 16:
        return _scale(samples, 2**bits - 1, 8 if bits <= 8 else 16), None
    if samples.dtype.kind not in "uif":
        raise UnreadableError(f"its pixels are of type {samples.dtype}, which no picture has.", "Save it with 16 bits.")
    _check_range(samples)
    sample_format = SampleFormat(str(samples.dtype), _white(samples.dtype))
    return _scale(samples, sample_format.white, 8 if samples.dtype.itemsize == 1 else 16), sample_format


def _white(dtype: np.dtype) -> float:
    if dtype.kind == "f":
        return FLOAT_WHITE
    return min(int(np.iinfo(dtype).max), INTEGER_WHITE)


def _check_range(samples: np.ndarray) -> None:
    low, high, white = samples.min(), samples.max(), _white(samples.dtype)
    if samples.dtype.kind == "i" and low < 0:
        raise UnreadableError(
            f"its values have a sign and go from {low} to {high}, so it is not known which of them is black.",
            "Save it with 16 bits without a sign, black at 0 and white at 65,535.",
        )
    if not (low >= 0 and high <= white) or (samples.dtype.kind == "f" and 0 < high <= 1):
        raise UnreadableError(
            f"its values go from {low:g} to {high:g}, and 0 to {white:g} is what can be read.",
            "Save it with 16 bits, black at 0 and white at 65,535.",
        )


def _scale(samples: np.ndarray, white: float, bits: int) -> Pixels:
    """Scale samples from 0 to `white` to pixel values of 8 or 16 bits."""
    if samples.dtype == f"uint{bits}" and white == 2**bits - 1:
        return samples
    values: Pixels = np.rint(samples.astype(np.float64) * ((2**bits - 1) / white)).astype(f"uint{bits}")
    return values
