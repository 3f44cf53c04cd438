"""A picture: its pixels as the networks need them, and everything needed to write it back as it came."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from cyclegan.errors import UnreadableError
from cyclegan.images.formats import GRAY_MODES, GRAY_MODES_16_BIT
from cyclegan.images.icc import converts_back, from_srgb, needs_conversion, profile_of_gamma, srgb, to_srgb
from cyclegan.images.metadata import Metadata, read_orientation
from cyclegan.images.pixels import Alpha, Pixels, resized, with_bits
from cyclegan.images.sample_format import SampleFormat
from cyclegan.text import printable

SINGLE_PICTURE_FORMATS = ("MPO", "PSD")  # whose frames, as Pillow counts them, are previews or layers
ONE_WAY_NOTE = "Its colour profile leads to sRGB and not back, so it is written in sRGB."
STRAIGHT_ALPHA_MODES = {"La": "LA", "RGBa": "RGBA"}  # for modes whose colors are multiplied by alpha


@dataclass
class Picture:
    """A picture, EXIF-transposed and in sRGB, and what its file held beside its pixels.

    `mode` is Pillow's name for how the file holds its pixels, or `RGB;16`, `RGBA;16` or `LA;16`, for which it has none.
    """

    pixels: Pixels  # h w 1 if gray, else h w 3
    mode: str = "RGB"
    alpha: Alpha | None = None
    format: str = "PNG"
    profile: bytes | None = None  # ICC; of the file, not of `pixels`
    metadata: Metadata = field(default_factory=Metadata)
    encoding: dict[str, Any] = field(default_factory=dict)  # options of Pillow's `save` that repeat the file's encoding
    frames: int = 1  # or pages, of which this is the first
    sample_format: SampleFormat | None = None  # of a TIFF that holds neither uint8 nor uint16
    file_size: tuple[int, int] | None = None  # width and height in the file, EXIF-transposed

    @classmethod
    def from_image(cls, image: Image.Image) -> "Picture":
        """Convert a Pillow image of any mode."""
        has_alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
        alpha = np.array(_with_straight_alpha(image).convert("RGBA").getchannel("A")) if has_alpha else None
        return cls.from_values(_values(image), alpha, STRAIGHT_ALPHA_MODES.get(image.mode, image.mode), image)

    @classmethod
    def from_values(cls, values: Pixels, alpha: Alpha | None, mode: str, image: Image.Image) -> "Picture":
        """Build from pixel values in the file's color space; `image` is the opened file, for everything else."""
        profile = image.info.get("icc_profile") or profile_of_gamma(image.info) or None
        orientation, metadata = read_orientation(image), Metadata.from_image(image)

        # To sRGB; a profile without a way back is replaced, because the output could not be in it.
        if profile and needs_conversion(profile, values.shape[2]):
            values = to_srgb(values, profile)
            if not converts_back(profile):
                mode = "RGB" if mode == "CMYK" else mode
                profile = srgb() if values.shape[2] == 3 else None
                metadata = replace(metadata, notes=(*metadata.notes, ONE_WAY_NOTE))
        if values.shape[2] == 4:
            values = np.array(_image(values).convert("RGB"))

        if alpha is not None:
            values = inpaint_transparent(values, alpha)
        pixels = exif_transpose(values, orientation)
        return cls(
            pixels=pixels,
            mode=mode,
            alpha=None if alpha is None else exif_transpose(alpha, orientation),
            format={"MPO": "JPEG"}.get(image.format or "PNG", image.format or "PNG"),
            profile=profile,
            metadata=metadata,
            frames=getattr(image, "n_frames", 1) if image.format not in SINGLE_PICTURE_FORMATS else 1,
            file_size=(pixels.shape[1], pixels.shape[0]),
        )

    @property
    def bits(self) -> int:
        """Bits per channel in the picture's file, as far as they are used: 8 or 16."""
        return 16 if self.mode.endswith(";16") or self.mode in ("I", "F", *GRAY_MODES_16_BIT) else 8

    @property
    def channels(self) -> int:
        """1 if gray, 3 in color."""
        return int(self.pixels.shape[2])

    def first_frame_note(self, path: Path) -> str:
        """Return the message about a file of several frames or pages."""
        which = "main one" if self.format == "HEIF" else "first"
        return f"{printable(path)} holds {self.frames} pictures; the {which} is taken."

    def with_pixels(self, pixels: Pixels) -> "Picture":
        """Return this picture with other pixels.

        Alpha follows a change of size. A gray picture that becomes colored, or the other way round, gets the plainest
        mode that holds it.
        """
        height, width = pixels.shape[:2]
        alpha, mode, profile = self.alpha, self.mode, self.profile
        if alpha is not None:
            alpha = resized(alpha[..., None], width, height)[..., 0]
        if (mode in GRAY_MODES) != (pixels.shape[2] == 1):
            plain = "L" if pixels.shape[2] == 1 else "RGB"
            mode = plain + ("A" if alpha is not None else "") + (";16" if self.bits == 16 else "")
            mode, profile = {"L;16": "I;16"}.get(mode, mode), None
        return replace(self, pixels=pixels, alpha=alpha, mode=mode, profile=profile)

    def file_values(self) -> tuple[Pixels, bytes | None]:
        """Return the pixel values to store, without alpha, and the profile of their color space."""
        profile = self.profile
        if profile and needs_conversion(profile, 4 if self.mode == "CMYK" else self.channels):
            return from_srgb(self.pixels, profile, bits=self.bits), profile
        return with_bits(self.pixels, self.bits), profile

    def to_image(self) -> Image.Image:
        """Return a Pillow image of the picture's mode with its profile; of 8 bits where Pillow has no mode for 16.

        Exceptions to the mode: `RGB` or `L` with alpha becomes `RGBA` or `LA`, and a palette with partial
        transparency `RGBA`.
        """
        values, profile = self.file_values()
        image = self._in_mode(values)
        image.info |= {"icc_profile": profile} if profile else {}
        return image

    def _in_mode(self, values: Pixels) -> Image.Image:
        if self.mode in ("I", "F", *GRAY_MODES_16_BIT) and self.alpha is None:
            return _image_of_gray_16_bit(values, self.mode)
        image = _image(with_bits(values, 8))
        if image.mode == "CMYK":
            return image
        if self.alpha is not None:
            image.putalpha(Image.fromarray(with_bits(self.alpha[..., None], 8)[..., 0]))
        mode = self.mode.removesuffix(";16")
        if mode == "P":
            return quantize(image)
        if mode == "PA":
            quantized = quantize(image.convert("RGB")).convert("PA")
            quantized.putalpha(image.getchannel("A"))
            return quantized
        return image if image.mode == mode or self.alpha is not None else image.convert(mode)


def inpaint_transparent(pixels: Pixels, alpha: Alpha) -> Pixels:
    """Return the pixels with every fully transparent one in the color of the nearest visible one.

    What an editor left there, often black, would otherwise bleed into its neighbors in the translation.
    """
    import cv2

    hidden = alpha == 0
    if hidden.all() or not hidden.any():
        return pixels
    _, nearest = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.zeros((int(nearest.max()) + 1, pixels.shape[2]), dtype=pixels.dtype)
    colors[nearest[~hidden]] = pixels[~hidden]
    return np.where(hidden[..., None], colors[nearest], pixels)


def quantize(image: Image.Image) -> Image.Image:
    """Return an image in 256 colors, one of them transparent if needed; with partial transparency, in RGBA."""
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB").quantize(256)
    alpha = np.array(image.getchannel("A"))
    if ((alpha > 0) & (alpha < 255)).any():
        return image.convert("RGBA")
    indices = image.convert("RGB").quantize(255)
    indices.putpalette(((indices.getpalette() or []) + [0] * 768)[:768])  # with an entry for the transparent color
    indices.paste(255, mask=Image.fromarray(255 - alpha))
    indices.info["transparency"] = 255
    return indices


def exif_transpose(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror stored pixels, h w or h w c, by EXIF's orientation (1 to 8)."""
    if orientation > 4:
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def _with_straight_alpha(image: Image.Image) -> Image.Image:
    return image.convert(STRAIGHT_ALPHA_MODES[image.mode]) if image.mode in STRAIGHT_ALPHA_MODES else image


def _values(image: Image.Image) -> Pixels:
    """Return pixel values, h w c, in the file's color space: gray, RGB, or CMYK if a profile explains it."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F", *GRAY_MODES_16_BIT):
        return _gray_16_bit_values(image)
    if image.mode in GRAY_MODES:
        return np.array(_with_straight_alpha(image).convert("L"))[..., None]
    if image.mode == "CMYK" and profile and needs_conversion(profile, 4):
        return np.array(image)
    return np.array(_with_straight_alpha(image).convert("RGB"))


def _gray_16_bit_values(image: Image.Image) -> UInt16[np.ndarray, "_h _w 1"]:
    """Return 16-bit values; floating-point ones are 0 to 255, as in Pillow."""
    values = np.array(image)
    if values.dtype == np.uint16:
        return values[..., None]
    white = 255 if image.mode == "F" else 65535
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= white) or (image.mode == "F" and 0 < high <= 1):
        raise UnreadableError(
            f"its values go from {low:g} to {high:g}, and 0 to {white} is what can be read.",
            "Save it with 16 bits.",
        )
    return np.rint(values * (65535 / white)).astype(np.uint16)[..., None]


def _image_of_gray_16_bit(values: Pixels, mode: str) -> Image.Image:
    if mode == "F":
        return Image.fromarray(values[..., 0].astype(np.float32) / 257)
    image = Image.fromarray(with_bits(values, 16)[..., 0])
    return image if mode == image.mode else image.convert("I").convert(mode)


def _image(values: Pixels) -> Image.Image:
    """Return 8-bit values as a Pillow image: L, RGB or CMYK."""
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[values.shape[2]]
    return Image.frombytes(mode, values.shape[1::-1], np.ascontiguousarray(values).tobytes())
