"""TIFFs: their pixels read by tifffile, or by Pillow where it reads them rightly; everything beside them by Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError
from tifffile import TiffFile, TiffPage

from cyclegan.errors import PictureError
from cyclegan.images.convention import with_bits
from cyclegan.images.picture import Alpha, Picture
from cyclegan.images.samples import levels_of
from cyclegan.images.tiff_strips import JPEG, can_decode, check_complete, check_jpeg, decode_page

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, COMPRESSION, PHOTOMETRIC_TAG, SAMPLES, BITS = 256, 259, 262, 277, 258
LAYOUT = (266, 284, 317, 338, 339)  # fill order, planes, predictor, extra samples, sample format
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4}  # channels, without transparency
BY_PILLOW = (PALETTE, YCBCR, CIELAB)  # photometric interpretations
ASSOCIATED, STRAIGHT, COREL = 1, 2, 999  # of an extra sample: alpha (the colours are multiplied by the first)
MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}
AS_RGB = "Save it as RGB or grey, with 8 or 16 bits."


class TiffHeader(TiffImagePlugin.TiffImageFile):
    """A TIFF for whose pixels Pillow has no mode: everything beside them."""

    def _setup(self) -> None:
        compression = self.tag_v2.get(COMPRESSION, 1)
        for tag in LAYOUT:
            self.tag_v2.pop(tag, None)
        for tag, value in {BITS: (8,), SAMPLES: 1, PHOTOMETRIC_TAG: BLACK_IS_ZERO, COMPRESSION: 1}.items():
            self.tag_v2[tag] = value
        super()._setup()
        self.info["compression"] = TiffImagePlugin.COMPRESSION_INFO.get(compression)


@contextmanager
def opened(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a picture with Pillow; of a TIFF whose pixels it does not know, the header alone."""
    try:
        image: Image.Image = Image.open(path, formats=formats)
    except UnidentifiedImageError:
        with path.open("rb") as file:
            if file.read(4) not in MAGIC:
                raise
        image = TiffHeader(path)
    with image:
        yield image


def decode_tiff(image: TiffImagePlugin.TiffImageFile, path: Path) -> Picture:
    """Return the first picture of a TIFF that Pillow has opened."""
    with TiffFile(path) as file:
        page = file.pages.first
        if read_by_pillow(image, page):
            check_complete(page)
            check_jpeg(file, page)
            image.load()
            return Picture.from_image(image)
        colours, alpha_kind = channels_of(page)
        values = pixels_first(decode_page(file, page), page)
        levels, samples = levels_of(values, page.bitspersample)
        levels = with_bits(levels, 8) if colours == 4 else levels  # Pillow's CMYK has no more
    if page.photometric == WHITE_IS_ZERO:
        levels = np.iinfo(levels.dtype).max - levels
    alpha = np.ascontiguousarray(levels[..., colours]) if alpha_kind else None
    levels = np.ascontiguousarray(levels[..., :colours])
    if alpha is not None and alpha_kind == ASSOCIATED:
        levels = divided(levels, alpha)
    mode = "1" if page.bitspersample == 1 and colours == 1 else MODES[colours, alpha is not None]
    if levels.dtype == np.uint16:
        mode = {"L": "I"}.get(mode, mode) + ";16"
    picture = Picture.from_levels(levels, alpha, mode, image)
    picture.samples = samples
    return picture


def read_by_pillow(image: Image.Image, page: TiffPage) -> bool:
    """Tell whether Pillow is to decode the pixels: of 8 bits, in colour spaces or compressions that only it knows."""
    if isinstance(image, TiffHeader):
        return False
    inverted = page.photometric == CMYK and page.compression == JPEG  # as Adobe writes it
    return (page.photometric in BY_PILLOW or inverted or not can_decode(page)) and page.bitspersample <= 8


def channels_of(page: TiffPage) -> tuple[int, int]:
    """Return how many channels are colours, and the kind of the alpha channel behind them, 0 if there is none."""
    name = getattr(page.photometric, "name", page.photometric)
    if page.photometric not in COLOURS:
        raise PictureError(
            f"its colours are stored as {name} with {page.bitspersample} bits, which is not read here.", AS_RGB
        )
    if not isinstance(page.bitspersample, int):
        raise PictureError(f"its channels have different numbers of bits ({page.bitspersample}).", AS_RGB)
    colours, extra = COLOURS[page.photometric], tuple(page.extrasamples)
    count = page.samplesperpixel
    if count == colours:
        return colours, 0
    first = int(extra[0]) if extra else (STRAIGHT if (colours, count) == (3, 4) else 0)
    first = STRAIGHT if first == COREL else first
    if count > colours and colours < 4 and first in (ASSOCIATED, STRAIGHT):
        return colours, first
    if count > colours >= 3 and first not in (ASSOCIATED, STRAIGHT):
        return colours, 0
    raise PictureError(f"its {count} channels are not said to be colours or transparency.", AS_RGB)


def pixels_first(values: np.ndarray, page: TiffPage) -> np.ndarray:
    """Return sample values as h w c, however their planes are arranged."""
    if page.axes.startswith("S"):
        values = np.moveaxis(values, 0, -1)
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[:2] != (page.imagelength, page.imagewidth):
        raise PictureError(f"its pixels are laid out as {page.axes} {page.shape}, which is not read here.", AS_RGB)
    return values


def divided(levels: np.ndarray, alpha: Alpha) -> np.ndarray:
    """Return colours that were multiplied by alpha as they are without it."""
    white = np.iinfo(levels.dtype).max
    straight = np.rint(levels * (white / np.maximum(alpha, 1))[..., None]).clip(0, white)
    return straight.astype(levels.dtype)
