"""Colour spaces: from a picture's own, told by its ICC profile, to sRGB and back."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from imagecodecs import CmsError, cms_profile, cms_transform
from PIL import ImageCms

from cyclegan.images.convention import Pixels

SRGB_CHROMATICITY = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # white, red, green, blue, each x and y
CHANNELS_OF = {"gray": 1, "rgb": 3, "cmyk": 4}
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
FAR = 8  # of 255 levels, on average: by more, what comes back is another colour
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE  # optimised, it errs by up to 20 levels


def to_srgb(levels: Pixels, profile: bytes) -> Pixels:
    """Convert levels of the profile's space (h w 1, 3 or 4; see `matters`) to sRGB, 16 bits, grey staying grey."""
    space = space_of(profile)
    return _transformed(levels, profile, space, srgb(), "rgb", bits=16)[..., : 1 if space == "gray" else 3]


def from_srgb(pixels: Pixels, profile: bytes, *, bits: int) -> Pixels:
    """Convert sRGB (h w 3, or h w 1 for a profile of greys) to levels of the profile's space (see `matters`)."""
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    return _transformed(colour, srgb(), "rgb", profile, space_of(profile), bits=bits)


@cache
def matters(profile: bytes, channels: int) -> bool:
    """Tell whether levels of so many channels must be converted by this ICC profile.

    They must not if it means sRGB, or what no eye tells from it (within 1 of 255 levels everywhere), and cannot if it
    is of another kind of pixels or makes no sense.
    """
    if channels != CHANNELS_OF.get(space_of(profile)):
        return False
    levels = _samples(channels)
    try:
        seen = to_srgb(levels, profile)
    except ValueError:
        return False
    return channels == 4 or int(np.abs(seen / 257 - levels).max()) > 1


@cache
def converts_back(profile: bytes) -> bool:
    """Tell whether a profile leads from sRGB back to where it came from.

    Some lead one way only: those of scanners and of JPEGs in the XYB space, in which the way back is missing, or is
    there and does nothing.
    """
    seen = to_srgb(_samples(CHANNELS_OF[space_of(profile)]), profile)
    try:
        again = to_srgb(from_srgb(seen, profile, bits=16), profile)
    except ValueError:
        return False
    return float(np.abs(seen.astype(float) - again).mean()) < FAR * 257


def _samples(channels: int) -> Pixels:
    """Return levels from all over a space, n 1 c."""
    steps = np.linspace(0, 255, {1: 256, 3: 18, 4: 6}[channels], dtype=np.uint8)
    return np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(-1, 1, channels)


def profile_of_gamma(info: Mapping[Any, Any]) -> bytes:
    """Return a profile that says what a PNG's gAMA and cHRM chunks say, where it has no better word for its colours."""
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


def space_of(profile: bytes) -> str:
    """Return the colour space that an ICC profile describes, as its header spells it, in small letters."""
    return profile[16:20].decode("latin-1").strip().lower()


@cache
def srgb() -> bytes:
    """Return a profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _transformed(  # noqa: PLR0913 (two ends, each a profile and a space)
    levels: Pixels, profile: bytes, space: str, to_profile: bytes, to_space: str, *, bits: int
) -> Pixels:
    """Return the levels in another profile's space; a profile that cannot be used is a `ValueError`."""
    try:
        out: np.ndarray = cms_transform(
            levels[..., 0] if space == "gray" else levels,
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
    return out.reshape(*levels.shape[:2], -1)
