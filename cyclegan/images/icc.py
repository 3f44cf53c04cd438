"""ICC profiles: pixel values to sRGB and back."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from imagecodecs import CmsError, cms_profile, cms_transform
from PIL import ImageCms

from cyclegan.images.pixels import Pixels

SRGB_CHROMATICITY = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # white, red, green, blue, each x and y
CHANNELS_OF = {"gray": 1, "rgb": 3, "cmyk": 4}
KNOWN_PROFILES = 16  # about which the last answers are kept; each may have megabytes
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
MAX_ROUND_TRIP_ERROR = 8  # of 255, on average; by more, the color has changed
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE  # optimized, it errs by up to 20 of 255


def to_srgb(values: Pixels, profile: bytes) -> Pixels:
    """Convert pixel values of the profile's space (h w 1, 3 or 4) to sRGB of 16 bits; gray stays gray."""
    space = color_space(profile)
    return _transform(values, profile, space, srgb(), "rgb", bits=16)[..., : 1 if space == "gray" else 3]


def from_srgb(pixels: Pixels, profile: bytes, *, bits: int) -> Pixels:
    """Convert sRGB (h w 3, or h w 1 for a gray profile) to pixel values of the profile's space."""
    color = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    return _transform(color, srgb(), "rgb", profile, color_space(profile), bits=bits)


@lru_cache(KNOWN_PROFILES)
def needs_conversion(profile: bytes, channels: int) -> bool:
    """Tell whether pixel values of so many channels must and can be converted by this ICC profile.

    They need not if it is sRGB within 1 of 255, and cannot if it is for other channels or invalid.
    """
    if channels != CHANNELS_OF.get(color_space(profile)):
        return False
    values = _sample_values(channels)
    try:
        in_srgb = to_srgb(values, profile)
    except ValueError:
        return False
    return channels == 4 or int(np.abs(in_srgb / 257 - values).max()) > 1


@lru_cache(KNOWN_PROFILES)
def converts_back(profile: bytes) -> bool:
    """Tell whether a profile also converts from sRGB.

    Those of scanners and of JPEGs in the XYB space do not: their tables for it are missing or do nothing.
    """
    in_srgb = to_srgb(_sample_values(CHANNELS_OF[color_space(profile)]), profile)
    try:
        again = to_srgb(from_srgb(in_srgb, profile, bits=16), profile)
    except ValueError:
        return False
    return float(np.abs(in_srgb.astype(float) - again).mean()) < MAX_ROUND_TRIP_ERROR * 257


def _sample_values(channels: int) -> Pixels:
    """Return a grid of pixel values of a whole color space, n 1 c."""
    steps = np.linspace(0, 255, {1: 256, 3: 18, 4: 6}[channels], dtype=np.uint8)
    return np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(-1, 1, channels)


def profile_of_gamma(info: Mapping[Any, Any]) -> bytes:
    """Return a profile of a PNG's gAMA and cHRM chunks; empty if there are none, or if they mean sRGB."""
    gamma, (white, *primaries) = info.get("gamma"), _pairs(info.get("chromaticity") or SRGB_CHROMATICITY)
    usual = gamma and abs(gamma - 1 / 2.2) < 0.01 and np.allclose(primaries, _pairs(SRGB_CHROMATICITY)[1:], atol=0.01)
    if not gamma or usual or "srgb" in info:
        return b""
    try:
        made: bytes = cms_profile("rgb", whitepoint=white, primaries=np.ravel(primaries).tolist(), gamma=1 / gamma)
    except (CmsError, ValueError):
        return b""
    return made


def _pairs(numbers: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def color_space(profile: bytes) -> str:
    """Return the color space in an ICC profile's header, in lower case."""
    return profile[16:20].decode("latin-1").strip().lower()


@cache
def srgb() -> bytes:
    """Return a profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _transform(  # noqa: PLR0913 (a profile and a space on both sides)
    values: Pixels, profile: bytes, space: str, to_profile: bytes, to_space: str, *, bits: int
) -> Pixels:
    """Convert to another profile's space; an unusable profile is a `ValueError`."""
    try:
        out: np.ndarray = cms_transform(
            values[..., 0] if space == "gray" else values,
            profile,
            to_profile,
            colorspace=space,
            outcolorspace=to_space,
            outdtype=f"uint{bits}",
            intent=int(INTENT),
            flags=int(FLAGS),
        )
    except CmsError as error:
        raise ValueError(str(error)) from error
    return out.reshape(*values.shape[:2], -1)
