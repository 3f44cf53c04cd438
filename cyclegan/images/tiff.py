"""Reads TIFFs: pixels with tifffile, or with Pillow where it reads them correctly; everything else with Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from cyclegan.errors import UnreadableError
from cyclegan.images.picture import Picture
from cyclegan.images.pixels import Alpha, with_bits
from cyclegan.images.sample_format import to_pixel_values
from cyclegan.images.tiff_strips import can_decode, check_complete, check_jpeg, decode_page

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
LAYOUT_TAGS = (
    TiffImagePlugin.FILLORDER,
    TiffImagePlugin.PLANAR_CONFIGURATION,
    TiffImagePlugin.PREDICTOR,
    TiffImagePlugin.EXTRASAMPLES,
    TiffImagePlugin.SAMPLEFORMAT,
)
COLOR_CHANNELS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.SEPARATED: 4,
}
READ_BY_PILLOW = (PHOTOMETRIC.PALETTE, PHOTOMETRIC.YCBCR, PHOTOMETRIC.CIELAB)
ASSOCIATED, STRAIGHT = EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA  # the colors are multiplied by the first
COREL_ALPHA = 999  # straight
TIFF_MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}
SAVE_AS_RGB_HINT = "Save it as RGB or grey, with 8 or 16 bits."


class TiffHeader(TiffImagePlugin.TiffImageFile):
    """A TIFF for whose pixels Pillow has no mode: everything beside them."""

    def _setup(self) -> None:
        compression = self.tag_v2.get(TiffImagePlugin.COMPRESSION, 1)
        for tag in LAYOUT_TAGS:
            self.tag_v2.pop(tag, None)
        self.tag_v2[TiffImagePlugin.BITSPERSAMPLE] = (8,)
        self.tag_v2[TiffImagePlugin.SAMPLESPERPIXEL] = 1
        self.tag_v2[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = int(PHOTOMETRIC.MINISBLACK)
        self.tag_v2[TiffImagePlugin.COMPRESSION] = int(COMPRESSION.NONE)
        super()._setup()
        self.info["compression"] = TiffImagePlugin.COMPRESSION_INFO.get(compression)


@contextmanager
def open_image(path: Path, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """Open a picture with Pillow; a TIFF whose pixels it does not know as a `TiffHeader`."""
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
        if is_read_by_pillow(image, page):
            check_complete(page)
            check_jpeg(file, page)
            image.load()
            return Picture.from_image(image)
        colors, alpha_kind = channels_of(page)
        samples = channels_last(decode_page(file, page), page)
    values, sample_format = to_pixel_values(samples, page.bitspersample)
    values = with_bits(values, 8) if colors == 4 else values  # Pillow's CMYK has no more
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        values = np.iinfo(values.dtype).max - values
    alpha = np.ascontiguousarray(values[..., colors]) if alpha_kind else None
    values = np.ascontiguousarray(values[..., :colors])
    if alpha is not None and alpha_kind == ASSOCIATED:
        values = divide_by_alpha(values, alpha)
    mode = "1" if page.bitspersample == 1 and colors == 1 else TIFF_MODES[colors, alpha is not None]
    if values.dtype == np.uint16:
        mode = {"L": "I"}.get(mode, mode) + ";16"
    picture = Picture.from_values(values, alpha, mode, image)
    picture.sample_format = sample_format
    return picture


def is_read_by_pillow(image: Image.Image, page: TiffPage) -> bool:
    """Tell whether Pillow decodes the pixels: 8 bits in color spaces or compressions that only it knows."""
    if isinstance(image, TiffHeader):
        return False
    inverted = page.photometric == PHOTOMETRIC.SEPARATED and page.compression == COMPRESSION.JPEG  # as Adobe writes it
    return (page.photometric in READ_BY_PILLOW or inverted or not can_decode(page)) and page.bitspersample <= 8


def channels_of(page: TiffPage) -> tuple[int, EXTRASAMPLE | None]:
    """Return how many channels are colors, and the kind of the alpha channel behind them, if there is one."""
    name = getattr(page.photometric, "name", page.photometric)
    if page.photometric not in COLOR_CHANNELS:
        raise UnreadableError(
            f"its colours are stored as {name} with {page.bitspersample} bits, which is not read here.",
            SAVE_AS_RGB_HINT,
        )
    if not isinstance(page.bitspersample, int):
        raise UnreadableError(f"its channels have different numbers of bits ({page.bitspersample}).", SAVE_AS_RGB_HINT)
    colors, count, alpha = COLOR_CHANNELS[page.photometric], page.samplesperpixel, _alpha_kind(page)
    if count == colors:
        return colors, None
    if count > colors and colors < 4 and alpha:
        return colors, alpha
    if count > colors >= 3 and not alpha:
        return colors, None
    raise UnreadableError(f"its {count} channels are not said to be colours or transparency.", SAVE_AS_RGB_HINT)


def _alpha_kind(page: TiffPage) -> EXTRASAMPLE | None:
    """Return the kind of the first extra channel if it is alpha; a fourth of RGB is, if the file does not tell."""
    if not page.extrasamples:
        return STRAIGHT if (page.photometric, page.samplesperpixel) == (PHOTOMETRIC.RGB, 4) else None
    kind = int(page.extrasamples[0])
    return {ASSOCIATED: ASSOCIATED, STRAIGHT: STRAIGHT, COREL_ALPHA: STRAIGHT}.get(kind)


def channels_last(samples: np.ndarray, page: TiffPage) -> np.ndarray:
    """Return samples as h w c, from one plane or several."""
    if page.axes.startswith("S"):
        samples = np.moveaxis(samples, 0, -1)
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.ndim != 3 or samples.shape[:2] != (page.imagelength, page.imagewidth):
        raise UnreadableError(
            f"its pixels are laid out as {page.axes} {page.shape}, which is not read here.", SAVE_AS_RGB_HINT
        )
    return samples


def divide_by_alpha(values: np.ndarray, alpha: Alpha) -> np.ndarray:
    """Return colors that were multiplied by alpha as they are without it."""
    white = np.iinfo(values.dtype).max
    straight = np.rint(values * (white / np.maximum(alpha, 1))[..., None]).clip(0, white)
    return straight.astype(values.dtype)
