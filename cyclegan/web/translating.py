"""Translation of uploaded pictures, through the same functions as `cyclegan translate`."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Event

from cyclegan.directions import DirectionName
from cyclegan.errors import CycleganError, DataError, ModelFileError, PictureError
from cyclegan.images import read_picture, resized, with_bits, with_channels, write_picture
from cyclegan.text import printable
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
from cyclegan.web.catalogue import FileVersion, file_version

MAX_PICTURES_PER_REQUEST = 20
MAX_FILE_BYTES = 50 * 2**20
MAX_PIXELS_ON_PAGE = 50_000_000  # of a picture
PREVIEW_SIDE = 1600  # pixels of the longer side
PREVIEW_QUALITY = 90  # of JPEG


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where uploads are translated."""

    device: str
    folder: Path  # of uploads, translations and previews; deleted at the end
    closing: Event


@dataclass(frozen=True, kw_only=True)
class TranslateRequest:
    """The choices that a user made on the page."""

    model: Path
    direction: DirectionName
    strength: float = 1.0  # 1: the translation; less: blended with the original
    keep: str = "auto"  # as `--keep`
    scores: bool = False


@dataclass(frozen=True)
class TranslatedFile:
    """An uploaded picture and its translation."""

    source: Path
    target: Path
    score: Score | None = None


def translate_uploads(
    workspace: Workspace, pictures: Sequence[Path], request: TranslateRequest, on_picture: Callable[[], object]
) -> tuple[list[TranslatedFile], list[str]]:
    """Translate pictures; return the results, and messages about the pictures that failed."""
    check_count(pictures)
    translator, scorer = load_translator(
        request.model, file_version(request.model), request.direction, workspace.device, request.keep
    )
    folder = Path(tempfile.mkdtemp(prefix="translated-", dir=workspace.folder))
    named = [Target(picture, folder / str(number) / picture.name, folder) for number, picture in enumerate(pictures)]
    targets = in_formats(named, None)
    animations = [target for target in targets if is_animation(target.source)]
    job = TranslateJob(
        translator,
        TranslateOptions(strength=request.strength, max_pixels=MAX_PIXELS_ON_PAGE),
        scorer if request.scores else None,
        interrupted=workspace.closing.is_set,
    )
    result = translate_targets([target for target in targets if target not in animations], job, on_picture=on_picture)
    refused = [
        PictureError(f"{printable(target.source)} is an animation.", "Use `cyclegan translate` for it.")
        for target in animations
    ]
    messages = [*result.notes, *map(message_of, [*refused, *result.failed])]
    messages = with_names(messages, [path for target in targets for path in (target.source, target.path)])
    return [TranslatedFile(target.source, target.path, result.scores.get(target)) for target in result.done], messages


def check_count(pictures: Sequence[Path]) -> None:
    """Raise an error for no pictures, or for too many at a time."""
    if not 0 < len(pictures) <= MAX_PICTURES_PER_REQUEST:
        raise DataError(f"these are {len(pictures)} pictures.", f"Upload 1 to {MAX_PICTURES_PER_REQUEST} at a time.")


def with_names(messages: Sequence[str], files: Sequence[Path]) -> list[str]:
    """Return messages with the names of files, by which users know them, instead of the paths of uploads."""
    for path in files:
        messages = [message.replace(printable(path), printable(path.name)) for message in messages]
    return list(messages)


def message_of(error: CycleganError) -> str:
    """Return the message of an error with its hint."""
    return f"{error} {error.hint}".strip()


@lru_cache(maxsize=2)  # both directions of one model
def load_translator(
    path: Path,
    version: FileVersion,  # noqa: ARG001 (a changed file is loaded again)
    direction: DirectionName,
    device: str,
    keep: str,
) -> tuple[Translator, Scorer | None]:
    """Return a translator, and a scorer where the model holds the networks for it."""
    translator = Translator(path, direction=direction, device=device, keep=keep)
    try:
        return translator, Scorer(translator)
    except ModelFileError:
        return translator, None


def write_previews(file: TranslatedFile) -> tuple[Path, Path]:
    """Write a picture and its translation in a format that every browser shows; return both paths."""
    folder = file.target.parent / "preview"
    return write_preview(file.source, folder / "before.jpg"), write_preview(file.target, folder / "after.jpg")


def write_preview(source: Path, target: Path, side: int = PREVIEW_SIDE) -> Path:
    """Write a picture as a JPEG of 8 bits in colour, at most `side` pixels long."""
    picture = read_picture(source, MAX_PIXELS_ON_PAGE)
    height, width = picture.pixels.shape[:2]
    scale = min(side / max(height, width), 1)
    small = resized(picture.pixels, max(round(width * scale), 1), max(round(height * scale), 1))
    preview = picture.with_pixels(with_channels(with_bits(small, 8), 3))
    mode = "RGB" if picture.alpha is None else "RGBA"
    write_picture(replace(preview, mode=mode, profile=None), target, "JPEG", quality=PREVIEW_QUALITY)
    return target
