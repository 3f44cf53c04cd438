"""Facts about every picture in a folder, from one quick reading."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import JpegImagePlugin

from cyclegan.data.duplicates import THUMBNAIL_SIDE, Fingerprint, FloatArray
from cyclegan.data.folders import list_pictures, passed_over
from cyclegan.errors import CycleganError
from cyclegan.images import MAX_PIXELS, Picture, Pixels, read_picture
from cyclegan.images.decoding_errors import picture_errors
from cyclegan.images.metadata import read_orientation
from cyclegan.images.pixels import LUMA
from cyclegan.images.plugins import readable_formats
from cyclegan.images.tiff import open_image
from cyclegan.prefetch import map_ahead

SMALL_SIDE = 64  # pixels, of the copy in which colour is measured
MIN_TINT = 4  # of 255; a smaller difference of channels is invisible, and lossy formats make it of grey
MIN_COLOR_SHARE = 0.01  # of the pixels, in a picture in colour
MIN_PIXEL_STD = 2.0  # of pixel values; below it a picture is flat


@dataclass(frozen=True)
class PictureFacts:
    """Facts about one picture, EXIF-transposed."""

    path: Path
    width: int  # pixels
    height: int
    mode: str  # as in `Picture`
    bits: int  # 8 or 16
    grey: bool  # in appearance, in whatever mode
    transparent: bool  # in some pixel
    frames: int
    max_value: float  # of all pixels, as a share of white
    fingerprint: Fingerprint | None  # None if it is flat

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.width, self.height)

    @property
    def aspect(self) -> float:
        """The longer side over the shorter."""
        return max(self.width, self.height) / self.short_side


@dataclass(frozen=True)
class Survey:
    """The pictures in a folder."""

    folder: Path
    pictures: list[PictureFacts]
    unreadable: list[tuple[Path, CycleganError]]
    passed_over: dict[str, int]  # files that are no pictures, by suffix


def survey_folder(folder: Path, *, on_picture: Callable[[], object] = lambda: None) -> Survey:
    """Return facts about every picture below a folder; unreadable ones are listed with their errors."""
    files = list_pictures(folder)
    survey = Survey(folder, [], [], dict(passed_over(folder)))

    def facts_or_error(path: Path) -> PictureFacts | CycleganError:
        try:
            return picture_facts(path)
        except CycleganError as error:
            return error

    for path, result in zip(files, map_ahead(facts_or_error, files, workers=psutil.cpu_count() or 1), strict=True):
        if isinstance(result, PictureFacts):
            survey.pictures.append(result)
        else:
            survey.unreadable.append((path, result))
        on_picture()
    return survey


def picture_facts(path: Path) -> PictureFacts:
    """Return facts about a picture; raise an error that names it if it cannot be read."""
    picture, width, height = read_coarsely(path)
    pixels = picture.pixels
    white = float(np.iinfo(pixels.dtype).max)
    return PictureFacts(
        path=path,
        width=width,
        height=height,
        mode=picture.mode,
        bits=picture.bits,
        grey=is_grey(pixels),
        transparent=picture.alpha is not None and bool(picture.alpha.min() < np.iinfo(picture.alpha.dtype).max),
        frames=picture.frames,
        max_value=float(pixels.max()) / white,
        fingerprint=fingerprint(path, shrink(pixels, THUMBNAIL_SIDE) / white, depth=2**picture.bits - 1),
    )


def read_coarsely(path: Path) -> tuple[Picture, int, int]:
    """Return a picture and its full width and height; a JPEG is decoded at a lower resolution, which is much faster."""
    with picture_errors(path), open_image(path, readable_formats(path.suffix)) as image:
        width, height = image.size
        if isinstance(image, JpegImagePlugin.JpegImageFile) and width * height <= MAX_PIXELS:
            image.draft(None, (SMALL_SIDE, SMALL_SIDE))
            transposed = read_orientation(image) > 4
            return Picture.from_image(image), *((height, width) if transposed else (width, height))
    picture = read_picture(path)
    return picture, picture.pixels.shape[1], picture.pixels.shape[0]


def shrink(pixels: Pixels, side: int) -> FloatArray:
    """Return a copy of side x side pixels, h w c, by area averaging, without regard to aspect."""
    import cv2

    small: FloatArray = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small.reshape(side, side, pixels.shape[2])


def is_grey(pixels: Pixels) -> bool:
    """Return whether a picture has no visible colour."""
    if pixels.shape[2] == 1:
        return True
    red, green, blue = np.moveaxis(shrink(pixels, SMALL_SIDE), 2, 0)
    difference = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    tint = difference / np.iinfo(pixels.dtype).max * 255
    return bool((tint > MIN_TINT).mean() < MIN_COLOR_SHARE)


def fingerprint(path: Path, thumbnail: FloatArray, depth: int) -> Fingerprint | None:
    """Return the fingerprint of a picture with this thumbnail of 0 to 1; None if it is flat."""
    grey = thumbnail @ LUMA if thumbnail.shape[2] == 3 else thumbnail[..., 0]
    if grey.std() * depth < MIN_PIXEL_STD:
        return None
    centered = grey - grey.mean()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "blake2b").digest()
    return Fingerprint(digest, (centered / np.linalg.norm(centered)).astype(np.float16))
