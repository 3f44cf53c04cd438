"""The formats that Pillow is asked to read, and plugins for two that it lacks: JPEG XL and Radiance HDR."""

import importlib.util
import re
from functools import cache
from typing import Any

import numpy as np
from imagecodecs import jpegxl_decode, rgbe_decode
from PIL import Image, ImageFile

from cyclegan.images import exif
from cyclegan.images.cicp import SRGB_TRANSFER, TRANSFERS, profile_of
from cyclegan.images.formats import FORMAT_OF, FORMATS
from cyclegan.images.jxl import CONTAINER_SIGNATURE, SIGNATURE, metadata_boxes, read_jxl_header

RADIANCE_SIZE = re.compile(rb"\n\n-Y (\d+) \+X (\d+)\n")
MAX_PLUGIN_HEADER_BYTES = 2**16


class DecodedFile(ImageFile.ImageFile):
    """A file whose pixels imagecodecs decodes when they are first asked for."""

    data = b""

    def decode(self) -> np.ndarray:
        """Return the pixels, in this image's mode."""
        raise NotImplementedError

    def load(self) -> Any:
        """Decode the pixels."""
        if self.data:
            image = Image.fromarray(np.ascontiguousarray(self.decode()))
            if (image.size, image.mode) != (self.size, self.mode):
                raise OSError(f"{image.mode} {image.size} was decoded instead of {self.mode} {self.size}")
            self.im, self.data = image.im, b""
        return super().load()


class JpegXlFile(DecodedFile):
    """A JPEG XL picture, of 8 bits, or of 16 in gray."""

    format = "JXL"

    def _open(self) -> None:
        assert self.fp is not None
        self.data, self.tile = self.fp.read(), []
        codestream, metadata = metadata_boxes(self.data)
        if not codestream.startswith(SIGNATURE):
            raise SyntaxError("its container holds no codestream")
        self.header = read_jxl_header(codestream)
        if self.header.floating:
            raise NotImplementedError("floating-point JPEG XL is not supported")
        self._size = self.header.width, self.header.height
        gray_16_bit = self.header.gray and self.header.bits > 8 and not self.header.alpha
        self._mode = "I;16" if gray_16_bit else ("L" if self.header.gray else "RGB") + "A" * self.header.alpha
        if profile := profile_of(self.header.colors, gray=self.header.gray):
            self.info["icc_profile"] = profile
        if b"Exif" in metadata:
            self.info["exif"] = exif.without_orientation(metadata[b"Exif"][4:])  # the decoder applies it
        if b"xml " in metadata:
            self.info["xmp"] = metadata[b"xml "]

    def decode(self) -> np.ndarray:
        """Return the first frame, upright."""
        values: np.ndarray = jpegxl_decode(self.data)
        if self.header.animated and values.ndim > 2 + (self.mode != "L"):
            values = values[0]
        if values.dtype == np.uint16 and self.header.bits < 16:
            # the decoder does not scale values of, say, 10 bits
            white = 2**self.header.bits - 1
            values = np.rint(values * (65535 / white)).clip(0, 65535).astype(np.uint16)
        if values.dtype == np.uint16 and self.mode != "I;16":
            values = np.rint(values / 257).astype(np.uint8)
        return values


class RadianceFile(DecodedFile):
    """A Radiance picture; its light from 0 to 1 becomes sRGB, more is white."""

    format = "RADIANCE"

    def _open(self) -> None:
        assert self.fp is not None
        self.data, self.tile = self.fp.read(), []
        head = self.data[:MAX_PLUGIN_HEADER_BYTES]
        found = RADIANCE_SIZE.search(head)
        if found is None or b"xyze" in head[: found.start()]:
            raise NotImplementedError("this kind of Radiance picture is not supported")
        self._size = int(found[2]), int(found[1])
        self._mode = "RGB"

    def decode(self) -> np.ndarray:
        """Return the pixels in sRGB."""
        light = rgbe_decode(self.data).clip(0, 1)
        values = np.arange(256)
        # light half-way between two values, where rounding changes
        thresholds = TRANSFERS[SRGB_TRANSFER]((values[1:] - 0.5) / 255)
        return np.searchsorted(thresholds, light, side="right").astype(np.uint8)


@cache
def readable_formats(suffix: str = "") -> tuple[str, ...]:
    """Return the formats (Pillow's names) that a file of this suffix is tried as.

    A TGA has no signature, so any bytes may pass for one: only a file with its suffix is tried as TGA.
    """
    if importlib.util.find_spec("pillow_heif"):
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
    Image.init()
    _register()
    named = FORMAT_OF.get(suffix.lower())
    return tuple(name for name in sorted(FORMATS) if name in Image.OPEN and (name != "TGA" or name == named))


def _register() -> None:
    """Register the plugins with Pillow."""
    Image.register_open("JXL", JpegXlFile, lambda start: start.startswith((SIGNATURE, CONTAINER_SIGNATURE)))
    Image.register_open("RADIANCE", RadianceFile, lambda start: start.startswith((b"#?RADIANCE", b"#?RGBE")))
