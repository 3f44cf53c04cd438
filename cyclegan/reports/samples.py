"""Sample grids, the same pictures at many steps, small enough for a page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cyclegan.checkpoints.records import SAMPLE_GAP, sample_grids
from cyclegan.checkpoints.run import Run
from cyclegan.data.folders import evenly_spaced
from cyclegan.errors import PictureError
from cyclegan.images import Pixels, read_picture

MAX_FRAMES = 40  # steps under the slider
MAX_AREA = 400_000  # pixels of a picture; larger ones are made smaller
MAX_SIDE = 16_383  # pixels, of a WebP file
WEBP_QUALITY = 80


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture whose file is a part of the page."""

    uri: str
    width: int  # pixels
    height: int


@dataclass(frozen=True)
class GridFrame:
    """The samples of one step, of A and of B."""

    step: int
    pictures: tuple[EmbeddedPicture, EmbeddedPicture]


@dataclass(frozen=True)
class Samples:
    """The samples of a run."""

    frames: list[GridFrame]
    grids: int  # in the folder


def load_samples(run: Run) -> Samples:
    """Return the samples of at most `MAX_FRAMES` steps; damaged grids are left out."""
    grids = sample_grids(run)
    frames = [
        GridFrame(int(path.stem), (embed(pixels[0]), embed(pixels[1])))
        for path in evenly_spaced(grids, MAX_FRAMES)
        if (pixels := read_grid(path))
    ]
    return Samples(frames, len(grids))


def read_grid(path: Path) -> tuple[Pixels, Pixels] | None:
    """Return the pixels of both domains in a sample grid, A on the left; None if it is damaged."""
    try:
        pixels = read_picture(path).pixels
    except PictureError:
        return None
    width = (pixels.shape[1] - SAMPLE_GAP) // 2
    return (pixels[:, :width], pixels[:, -width:]) if width > 0 else None


def embed(pixels: Pixels, quality: int = WEBP_QUALITY) -> EmbeddedPicture:
    """Return pixels as a WebP file in a data URI."""
    image = Image.fromarray(pixels)
    scale = min((MAX_AREA / (image.width * image.height)) ** 0.5, MAX_SIDE / max(image.size))
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=quality)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return EmbeddedPicture(f"data:image/webp;base64,{data}", image.width, image.height)
