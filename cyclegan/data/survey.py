"""Looking over a folder of pictures: what each is, from one quick reading, and which cannot be read."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import JpegImagePlugin

from cyclegan.data.duplicates import SIDE, Fingerprint, Floats
from cyclegan.data.folders import list_pictures, passed_over
from cyclegan.errors import CycleganError
from cyclegan.images import MAX_PIXELS, Picture, Pixels, read_picture
from cyclegan.images.decoding_errors import picture_errors
from cyclegan.images.metadata import read_orientation
from cyclegan.images.pixels import LUMA
from cyclegan.images.plugins import readable_formats
from cyclegan.images.tiff import open_image
from cyclegan.prefetch import map_ahead

SEEN = 64  # pixels, side of the small copy in which colours are looked for
TINT = 4  # of 255: channels that differ by less are grey to the eye, whatever a lossy format made of them
COLOURED = 0.01  # share of a picture that must have colour
FLAT = 2.0  # levels: the standard deviation below which a picture is all but one colour


@dataclass(frozen=True)
class Look:
    """What one picture is, upright."""

    path: Path
    width: int  # pixels
    height: int
    mode: str  # as in `Picture`
    bits: int  # of a level: 8 or 16
    grey: bool  # what it shows, however it is stored
    see_through: bool  # somewhere
    frames: int
    brightest: float  # its largest level, as a share of white
    fingerprint: Fingerprint | None  # none if it is all but one colour

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.width, self.height)

    @property
    def elongation(self) -> float:
        """The longer side over the shorter."""
        return max(self.width, self.height) / self.short_side


@dataclass(frozen=True)
class Survey:
    """What is in a folder."""

    folder: Path
    looks: list[Look]
    unreadable: list[tuple[Path, CycleganError]]
    passed_over: dict[str, int]  # suffix -> files that are no pictures, by their name


def survey_folder(folder: Path, *, on_picture: Callable[[], object] = lambda: None) -> Survey:
    """Look at every picture below a folder; each that cannot be read is listed with the reason."""
    files = list_pictures(folder)
    survey = Survey(folder, [], [], dict(passed_over(folder)))

    def look(path: Path) -> Look | CycleganError:
        try:
            return look_at(path)
        except CycleganError as error:
            return error

    for path, seen in zip(files, map_ahead(look, files, workers=psutil.cpu_count() or 1), strict=True):
        if isinstance(seen, Look):
            survey.looks.append(seen)
        else:
            survey.unreadable.append((path, seen))
        on_picture()
    return survey


def look_at(path: Path) -> Look:
    """Return what a picture is; one that cannot be read is an error that names it."""
    picture, width, height = glimpse(path)
    pixels = picture.pixels
    white = float(np.iinfo(pixels.dtype).max)
    return Look(
        path=path,
        width=width,
        height=height,
        mode=picture.mode,
        bits=picture.bits,
        grey=is_grey(pixels),
        see_through=picture.alpha is not None and bool(picture.alpha.min() < np.iinfo(picture.alpha.dtype).max),
        frames=picture.frames,
        brightest=float(pixels.max()) / white,
        fingerprint=fingerprint(path, small(pixels, SIDE) / white, depth=2**picture.bits - 1),
    )


def glimpse(path: Path) -> tuple[Picture, int, int]:
    """Read a picture, and its full width and height; a JPEG only as finely as need be, which is much faster."""
    with picture_errors(path), open_image(path, readable_formats(path.suffix)) as image:
        width, height = image.size
        if isinstance(image, JpegImagePlugin.JpegImageFile) and width * height <= MAX_PIXELS:
            image.draft(None, (SEEN, SEEN))
            turned = read_orientation(image) > 4
            return Picture.from_image(image), *((height, width) if turned else (width, height))
    picture = read_picture(path)
    return picture, picture.pixels.shape[1], picture.pixels.shape[0]


def small(pixels: Pixels, side: int) -> Floats:
    """Return a copy of side x side pixels, h w c, each the mean of those it covers; aspect is lost."""
    import cv2

    shrunk: Floats = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    return shrunk.reshape(side, side, pixels.shape[2])


def is_grey(pixels: Pixels) -> bool:
    """Tell whether a picture shows no colour to speak of."""
    if pixels.shape[2] == 1:
        return True
    red, green, blue = np.moveaxis(small(pixels, SEEN), 2, 0)
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    tint = spread / np.iinfo(pixels.dtype).max * 255
    return bool((tint > TINT).mean() < COLOURED)


def fingerprint(path: Path, thumbnail: Floats, depth: int) -> Fingerprint | None:
    """Return what a picture is known by, from a thumbnail of values from 0 to 1; none if it is all but one colour."""
    grey = thumbnail @ LUMA if thumbnail.shape[2] == 3 else thumbnail[..., 0]
    if grey.std() * depth < FLAT:
        return None
    centred = grey - grey.mean()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "blake2b").digest()
    return Fingerprint(digest, (centred / np.linalg.norm(centred)).astype(np.float16))
