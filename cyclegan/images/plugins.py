"""Decoders that Pillow lacks, as plugins of it: JPEG XL and Radiance HDR, both by imagecodecs."""

import re
from typing import Any

import numpy as np
from imagecodecs import jpegxl_decode, rgbe_decode
from PIL import ExifTags, Image, ImageFile

from cyclegan.images.cicp import SRGB_TRANSFER, TRANSFERS, profile_of
from cyclegan.images.jxl import CONTAINER, SIGNATURE, metadata_boxes, read_header

RADIANCE_SIZE = re.compile(rb"\n\n-Y (\d+) \+X (\d+)\n")
HEADER_BYTES = 2**16


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
    """A JPEG XL picture, of 8 bits, or of 16 in grey."""

    format = "JXL"

    def _open(self) -> None:
        assert self.fp is not None
        self.data, self.tile = self.fp.read(), []
        codestream, metadata = metadata_boxes(self.data)
        if not codestream.startswith(SIGNATURE):
            raise SyntaxError("its container holds no codestream")
        self.header = read_header(codestream)
        if self.header.floating:
            raise NotImplementedError("floating-point JPEG XL is not supported")
        self._size = self.header.width, self.header.height
        deep_grey = self.header.grey and self.header.bits > 8 and not self.header.alpha
        self._mode = "I;16" if deep_grey else ("L" if self.header.grey else "RGB") + "A" * self.header.alpha
        if profile := profile_of(self.header.colours, grey=self.header.grey):
            self.info["icc_profile"] = profile
        if b"Exif" in metadata:
            self.info["exif"] = without_orientation(metadata[b"Exif"][4:])
        if b"xml " in metadata:
            self.info["xmp"] = metadata[b"xml "]

    def decode(self) -> np.ndarray:
        """Return the first frame, upright."""
        values: np.ndarray = jpegxl_decode(self.data)
        if self.header.animated and values.ndim > 2 + (self.mode != "L"):
            values = values[0]
        if values.dtype == np.uint16 and self.header.bits < 16:
            # decoders leave values of, say, 10 bits as they are
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
        head = self.data[:HEADER_BYTES]
        found = RADIANCE_SIZE.search(head)
        if found is None or b"xyze" in head[: found.start()]:
            raise NotImplementedError("this kind of Radiance picture is not supported")
        self._size = int(found[2]), int(found[1])
        self._mode = "RGB"

    def decode(self) -> np.ndarray:
        """Return the pixels in sRGB."""
        light = rgbe_decode(self.data).clip(0, 1)
        levels = np.arange(256)
        # light that lies half-way between two levels, where the first becomes the second
        borders = TRANSFERS[SRGB_TRANSFER]((levels[1:] - 0.5) / 255)
        return np.searchsorted(borders, light, side="right").astype(np.uint8)


def without_orientation(exif: bytes) -> bytes:
    """Return EXIF that leaves the picture as it is, since JPEG XL's decoder has turned it."""
    read = Image.Exif()
    read.load(exif)
    if ExifTags.Base.Orientation not in read:
        return b"Exif\0\0" + exif
    del read[ExifTags.Base.Orientation]
    return read.tobytes()


def register() -> None:
    """Make the decoders known to Pillow."""
    Image.register_open("JXL", JpegXlFile, lambda start: start.startswith((SIGNATURE, CONTAINER)))
    Image.register_open("RADIANCE", RadianceFile, lambda start: start.startswith((b"#?RADIANCE", b"#?RGBE")))
