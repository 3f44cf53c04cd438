"""A picture: its pixels as the networks want them, and all that is needed to give it back as it came."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from cyclegan.errors import PictureError, printable
from cyclegan.images.colour import converts_back, from_srgb, matters, profile_of_gamma, srgb, to_srgb
from cyclegan.images.convention import Pixels, resized, with_bits
from cyclegan.images.metadata import Metadata, orientation_of
from cyclegan.images.samples import Samples

Alpha = UInt8[np.ndarray, "_h _w"] | UInt16[np.ndarray, "_h _w"]

SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
GREYS = ("1", "L", "LA", "La", "I", "F", "LA;16", *SIXTEEN)
ONE_PICTURE = ("MPO", "PSD")  # what Pillow calls frames are previews, and layers
ONE_WAY = "Its colour profile leads to sRGB and not back, so it is written in sRGB."
STRAIGHT = {"La": "LA", "RGBa": "RGBA"}  # for alpha that is multiplied into the colours


@dataclass
class Picture:
    """A picture as a person sees it, upright and in sRGB, and what its file held beside its pixels.

    `mode` is Pillow's name for how the file holds its pixels, or `RGB;16`, `RGBA;16` or `LA;16`, for which it has none.
    """

    pixels: Pixels  # h w 1 if it is grey, else h w 3
    mode: str = "RGB"
    alpha: Alpha | None = None
    format: str = "PNG"
    profile: bytes | None = None  # ICC; of the file, not of `pixels`
    metadata: Metadata = field(default_factory=Metadata)
    encoding: dict[str, Any] = field(default_factory=dict)  # how its format was used, as Pillow's `save` takes it
    frames: int = 1  # or pages, of which this is the first
    samples: Samples | None = None  # of a TIFF that holds neither 8 nor 16 bits without a sign
    file_size: tuple[int, int] | None = None  # width and height, upright, that its file has or had

    @classmethod
    def from_image(cls, image: Image.Image) -> "Picture":
        """Take a Pillow image of any mode."""
        see_through = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
        alpha = np.array(_straight(image).convert("RGBA").getchannel("A")) if see_through else None
        return cls.from_levels(_levels(image), alpha, STRAIGHT.get(image.mode, image.mode), image)

    @classmethod
    def from_levels(cls, levels: Pixels, alpha: Alpha | None, mode: str, image: Image.Image) -> "Picture":
        """Take stored levels in their own colour space, and all else from the Pillow image that opened their file."""
        profile = image.info.get("icc_profile") or profile_of_gamma(image.info) or None
        # the orientation first, which the metadata are stripped of
        orientation, metadata = orientation_of(image), Metadata.of_image(image)
        seen = levels
        if profile and matters(profile, levels.shape[2]):
            seen = to_srgb(levels, profile)
            if not converts_back(profile):
                mode = "RGB" if mode == "CMYK" else mode
                profile = srgb() if seen.shape[2] == 3 else None
                metadata = replace(metadata, notes=(*metadata.notes, ONE_WAY))
        if seen.shape[2] == 4:
            seen = np.array(_image(seen).convert("RGB"))
        if alpha is not None:
            seen = filled(seen, alpha)
        pixels = upright(seen, orientation)
        return cls(
            pixels=pixels,
            mode=mode,
            alpha=None if alpha is None else upright(alpha, orientation),
            format={"MPO": "JPEG"}.get(image.format or "PNG", image.format or "PNG"),
            profile=profile,
            metadata=metadata,
            frames=getattr(image, "n_frames", 1) if image.format not in ONE_PICTURE else 1,
            file_size=(pixels.shape[1], pixels.shape[0]),
        )

    @property
    def bits(self) -> int:
        """Bits of a level in the picture's file: 8 or 16."""
        return 16 if self.mode.endswith(";16") or self.mode in ("I", "F", *SIXTEEN) else 8

    @property
    def channels(self) -> int:
        """1 for a grey picture, 3 for one in colour."""
        return int(self.pixels.shape[2])

    def only_the_first(self, path: Path) -> str:
        """Return what to say of a file of several frames or pages."""
        which = "main one" if self.format == "HEIF" else "first"
        return f"{printable(path)} holds {self.frames} pictures; the {which} is taken."

    def with_pixels(self, pixels: Pixels) -> "Picture":
        """Return this picture redrawn: other pixels, all else as it was.

        Transparency follows a change of size. A grey picture that became coloured, or the other way round, is kept in
        the plainest mode that holds it.
        """
        height, width = pixels.shape[:2]
        alpha, mode, profile = self.alpha, self.mode, self.profile
        if alpha is not None:
            alpha = resized(alpha[..., None], width, height)[..., 0]
        if (mode in GREYS) != (pixels.shape[2] == 1):
            plain = "L" if pixels.shape[2] == 1 else "RGB"
            mode = plain + ("A" if alpha is not None else "") + (";16" if self.bits == 16 else "")
            mode, profile = {"L;16": "I;16"}.get(mode, mode), None
        return replace(self, pixels=pixels, alpha=alpha, mode=mode, profile=profile)

    def stored(self) -> tuple[Pixels, bytes | None]:
        """Return the levels to store, in the colour space of the profile to store beside them; alpha is not in them."""
        profile = self.profile
        if profile and matters(profile, 4 if self.mode == "CMYK" else self.channels):
            return from_srgb(self.pixels, profile, bits=self.bits), profile
        return with_bits(self.pixels, self.bits), profile

    def to_image(self) -> Image.Image:
        """Return a Pillow image of the picture's mode, its profile with it; of 8 bits where Pillow has no mode for 16.

        Exceptions to the mode: what is transparent in `RGB` or `L` comes back as `RGBA` or `LA`, and a palette whose
        transparency is partial as `RGBA`.
        """
        levels, profile = self.stored()
        image = self._in_mode(levels)
        image.info |= {"icc_profile": profile} if profile else {}
        return image

    def _in_mode(self, levels: Pixels) -> Image.Image:
        if self.mode in ("I", "F", *SIXTEEN) and self.alpha is None:
            return _deep_grey(levels, self.mode)
        image = _image(with_bits(levels, 8))
        if image.mode == "CMYK":
            return image
        if self.alpha is not None:
            image.putalpha(Image.fromarray(with_bits(self.alpha[..., None], 8)[..., 0]))
        mode = self.mode.removesuffix(";16")
        if mode == "P":
            return with_palette(image)
        if mode == "PA":
            coloured = with_palette(image.convert("RGB")).convert("PA")
            coloured.putalpha(image.getchannel("A"))
            return coloured
        return image if image.mode == mode or self.alpha is not None else image.convert(mode)


def filled(pixels: Pixels, alpha: Alpha) -> Pixels:
    """Return the pixels with every wholly transparent one in the colour of the visible one nearest to it.

    What an editor left there, often black, would otherwise bleed into what is redrawn beside it.
    """
    import cv2

    hidden = alpha == 0
    if hidden.all() or not hidden.any():
        return pixels
    _, nearest = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(nearest.max()) + 1, pixels.shape[2]), dtype=pixels.dtype)
    colours[nearest[~hidden]] = pixels[~hidden]
    return np.where(hidden[..., None], colours[nearest], pixels)


def with_palette(image: Image.Image) -> Image.Image:
    """Return an image in 256 colours, one of them transparent where it was; partial transparency needs no palette."""
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB").quantize(256)
    alpha = np.array(image.getchannel("A"))
    if ((alpha > 0) & (alpha < 255)).any():
        return image.convert("RGBA")
    indices = image.convert("RGB").quantize(255)
    indices.putpalette(((indices.getpalette() or []) + [0] * 768)[:768])  # with an entry for what is transparent
    indices.paste(255, mask=Image.fromarray(255 - alpha))
    indices.info["transparency"] = 255
    return indices


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels, h w or h w c, as EXIF's orientation (1 to 8) asks."""
    if orientation > 4:
        stored = stored.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    return np.ascontiguousarray(stored)


def _straight(image: Image.Image) -> Image.Image:
    return image.convert(STRAIGHT[image.mode]) if image.mode in STRAIGHT else image


def _levels(image: Image.Image) -> Pixels:
    """Return an image's levels, h w c, in its own colour space: grey, RGB, or CMYK where a profile explains it."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F", *SIXTEEN):
        return _deep_levels(image)
    if image.mode in GREYS:
        return np.array(_straight(image).convert("L"))[..., None]
    if image.mode == "CMYK" and profile and matters(profile, 4):
        return np.array(image)
    return np.array(_straight(image).convert("RGB"))


def _deep_levels(image: Image.Image) -> UInt16[np.ndarray, "_h _w 1"]:
    """Return 16-bit levels; floating-point values are taken as Pillow means them, 0 to 255."""
    values = np.array(image)
    if values.dtype == np.uint16:
        return values[..., None]
    white = 255 if image.mode == "F" else 65535
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white) or (image.mode == "F" and 0 < high <= 1):
        raise PictureError(
            f"its values go from {low:g} to {high:g}, and 0 to {white} is what can be read.",
            "Save it with 16 bits.",
        )
    return np.rint(values * (65535 / white)).astype(np.uint16)[..., None]


def _deep_grey(levels: Pixels, mode: str) -> Image.Image:
    if mode == "F":
        return Image.fromarray(levels[..., 0].astype(np.float32) / 257)
    image = Image.fromarray(with_bits(levels, 16)[..., 0])
    return image if mode == image.mode else image.convert("I").convert(mode)


def _image(levels: Pixels) -> Image.Image:
    """Return levels of 8 bits as a Pillow image: L, RGB or CMYK."""
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[levels.shape[2]]
    return Image.frombytes(mode, levels.shape[1::-1], np.ascontiguousarray(levels).tobytes())
