"""Redrawing what was dropped on the page, through the same functions as `cyclegan translate`."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from cyclegan.checkpoints.model_file import Direction
from cyclegan.errors import CycleganError, DataError, ModelFileError, PictureError, printable
from cyclegan.images import read_picture, resized, with_bits, with_channels, write_picture
from cyclegan.translation import (
    Scorer,
    Target,
    TranslateJob,
    TranslateOptions,
    Translator,
    in_formats,
    translate_targets,
)
from cyclegan.translation.scores import Score
from cyclegan.video.animations import is_animation
from cyclegan.web.catalogue import Site

MOST_PICTURES = 20  # at a time
MOST_BYTES = 50 * 2**20  # of a picture's file
MOST_PIXELS = 50_000_000  # of a picture
SHOWN = 1600  # pixels of the longer side, in the browser
COMMAND = "Use `cyclegan translate` for that."

Look = tuple[int, int, int]  # when a file was last changed, its bytes, and which one it is


@dataclass(frozen=True)
class Pair:
    """A picture that was dropped, and what became of it."""

    source: Path
    target: Path
    score: Score | None = None


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How pictures are to be redrawn."""

    model: Path
    direction: Direction
    strength: float = 1.0  # 1: the translation; less: blended with the original
    scores: bool = False


def redraw(
    site: Site, pictures: Sequence[Path], wish: Wish, on_picture: Callable[[], object]
) -> tuple[list[Pair], list[str]]:
    """Redraw pictures with a model; return what became of each, and what there is to say of the others."""
    if not 0 < len(pictures) <= MOST_PICTURES:
        raise DataError(f"these are {len(pictures)} pictures.", f"Drop 1 to {MOST_PICTURES} at a time.")
    translator, scorer = loaded(wish.model, look(wish.model), wish.direction, site.device)
    folder = Path(tempfile.mkdtemp(prefix="redrawn-", dir=site.place))
    named = [Target(picture, folder / str(number) / picture.name, folder) for number, picture in enumerate(pictures)]
    targets = in_formats(named, None)
    moving = [
        PictureError(f"{printable(target.source)} moves.", COMMAND) for target in targets if is_animation(target.source)
    ]
    work = TranslateJob(
        translator,
        TranslateOptions(strength=wish.strength, max_pixels=MOST_PIXELS),
        scorer if wish.scores else None,
        interrupted=site.closing.is_set,
    )
    outcome = translate_targets(
        [target for target in targets if not is_animation(target.source)], work, on_picture=on_picture
    )
    said = [*outcome.notes, *map(sentence, [*moving, *outcome.failed])]
    for target in targets:  # a user knows the pictures by their names alone
        for file in (target.source, target.path):
            said = [line.replace(printable(file), printable(file.name)) for line in said]
    return [Pair(target.source, target.path, outcome.scores.get(target)) for target in outcome.done], said


def sentence(error: CycleganError) -> str:
    """Return what is wrong and what to do."""
    return f"{error} {error.hint}".strip()


@lru_cache(maxsize=2)  # both directions of one model
def loaded(path: Path, seen: Look, direction: Direction, device: str) -> tuple[Translator, Scorer | None]:  # noqa: ARG001
    """Return a model ready to redraw, and to score if it can; one that has changed since is loaded again."""
    translator = Translator(path, direction=direction, device=device)
    try:
        return translator, Scorer(translator)
    except ModelFileError:
        return translator, None


def look(path: Path) -> Look:
    """Return what changes when a file does."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def shown(pair: Pair) -> tuple[Path, Path]:
    """Write a picture and its translation as any browser shows them; return where they are."""
    folder = pair.target.parent / "shown"
    return _shown(pair.source, folder / "before.jpg"), _shown(pair.target, folder / "after.jpg")


def _shown(source: Path, target: Path) -> Path:
    picture = read_picture(source, MOST_PIXELS)
    height, width = picture.pixels.shape[:2]
    scale = min(SHOWN / max(height, width), 1)
    small = resized(picture.pixels, max(round(width * scale), 1), max(round(height * scale), 1))
    coloured = picture.with_pixels(with_channels(with_bits(small, 8), 3))
    mode = "RGB" if picture.alpha is None else "RGBA"
    write_picture(replace(coloured, mode=mode, profile=None), target, "JPEG", quality=90)
    return target
