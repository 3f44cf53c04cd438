"""Pictures within a page, and the samples through time."""

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image

from cyclegan.checkpoints.runs import SAMPLE_GAP, Run, sample_grids
from cyclegan.config import Config
from cyclegan.data.folders import evenly_spaced
from cyclegan.errors import PictureError, printable
from cyclegan.images import Pixels, read_picture

FRAMES = 40  # steps that the slider shows at most
AREA = 400_000  # pixels of a picture in a page; larger ones are made smaller
LONGEST = 16_383  # pixels of a side, in WebP
QUALITY = 80  # of WebP


def samples_section(run: Run, config: Config) -> str:
    """Return the same pictures at every step, under a slider."""
    grids = sample_grids(run)
    frames = [(int(path.stem), halves) for path in evenly_spaced(grids, FRAMES) if (halves := read_halves(path))]
    if not frames:
        return '<p class="soft">None yet.</p>'
    newest, last = len(frames) - 1, f"step {frames[-1][0]:,}"
    a, b = shown_names(config)
    sides = "".join(
        f'<figure class="triples">{headings(source, target)}'
        + "".join(
            picture(halves[side], f"{source}, redrawn at step {step:,}", frame=number, hidden=number < newest)
            for number, (step, halves) in enumerate(frames)
        )
        + "</figure>"
        for side, (source, target) in enumerate(((a, b), (b, a)))
    )
    slider = (
        '<div class="slider" hidden><button type="button" id="play">Play</button><input type="range" id="time" '
        f'min="0" max="{newest}" value="{newest}" data-steps="{" ".join(str(step) for step, _ in frames)}" '
        f'aria-label="Step of the samples" aria-valuetext="{last}"><output id="step">{last}</output></div>'
    )
    left_out = f"{len(frames)} of {len(grids)} grids, " if len(frames) < len(grids) else ""
    return (
        f'<div class="player">{sides}</div>{slider if newest else ""}'
        f'<p class="soft">The same pictures each time, at last at {last}; {left_out}compressed. All are in samples/ as '
        "they were drawn.</p>"
    )


def read_halves(path: Path) -> tuple[Pixels, Pixels] | None:
    """Return both halves of a sample grid, A's and B's; nothing if it is damaged."""
    try:
        pixels = read_picture(path).pixels
    except PictureError:
        return None
    half = (pixels.shape[1] - SAMPLE_GAP) // 2
    return (pixels[:, :half], pixels[:, -half:]) if half > 0 else None


def headings(source: str, target: str) -> str:
    """Return what stands above the columns real | fake | cycled."""
    words = (source, f"as {target}", f"{source} again")
    return f'<figcaption class="columns">{"".join(f"<span>{word}</span>" for word in words)}</figcaption>'


def picture(pixels: Pixels, alt: str, *, frame: int | None = None, hidden: bool = False) -> str:
    """Return an image with its pixels inside; `alt` is escaped already, `frame` its place under the slider."""
    image = Image.fromarray(pixels)
    scale = min((AREA / (image.width * image.height)) ** 0.5, LONGEST / max(image.size))
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=QUALITY)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    place = "" if frame is None else f' data-frame="{frame}"'
    return (
        f'<img src="data:image/webp;base64,{data}" width="{image.width}" height="{image.height}" alt="{alt}"'
        f"{place}{' hidden' * hidden}>"
    )


def shown_names(config: Config) -> tuple[str, str]:
    """Return the names of both domains, harmless in a page."""
    return escape(printable(config.data.name_a)), escape(printable(config.data.name_b))
