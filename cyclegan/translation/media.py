"""Folders in, folders out: which picture becomes which file, and the work of making them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cyclegan.data.folders import list_pictures
from cyclegan.devices import memory_errors
from cyclegan.errors import CycleganError, DataError, DeviceError, PictureError, printable
from cyclegan.files import remove_partials
from cyclegan.images import (
    FORMAT_OF,
    MAX_PIXELS,
    Picture,
    read_picture,
    resized,
    size_with_short_side,
    to_images,
    to_pixels,
    write_picture,
)
from cyclegan.threads import map_ahead
from cyclegan.translation.translator import Translator

LONG = 600  # seconds after which a file that is being written is taken for a leftover of a killed translation
THREADS = 2  # that decode, and as many that encode, while the network computes


@dataclass(frozen=True)
class Task:
    """One picture to redraw, and the file it becomes."""

    source: Path
    target: Path


@dataclass
class Outcome:
    """What became of a translation."""

    done: list[Task] = field(default_factory=list)
    skipped: list[Task] = field(default_factory=list)  # there already
    failed: list[CycleganError] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How pictures are redrawn."""

    size: int = 0  # pixels, short side of what is written; 0: as it came
    strength: float = 1.0  # 1: the translation; less: blended with the original
    batch_size: int = 1  # neighbours of one size that go through the network together
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS


def plan_tasks(
    inputs: Sequence[Path], domain: str, *, output: Path | None = None, image_format: str | None = None
) -> list[Task]:
    """Say what becomes of every picture in the inputs, folders and single pictures.

    Without an output, a folder's pictures go beside it into `<folder>_<domain>`, and a picture becomes
    `<picture>_<domain>`. With one, a single picture is written to it; anything more goes into it as into a folder, and
    each of several folders under its own name there. Two inputs that would become one file are an error.
    """
    tasks: list[Task] = []
    for given in inputs:
        if not given.exists() and not given.is_symlink():
            raise DataError(f"there is no {printable(given)}.", "Check the path.")
        named = given if given.name not in ("", "..") else _real(given)
        if not named.name:
            raise DataError(f"{printable(given)} has no name.", "Name a folder in it.")
        single = len(inputs) == 1
        if given.is_dir():
            if output is not None and output.is_file():
                raise DataError(f"{printable(output)} is a file.", "Name a folder for what becomes of a folder.")
            beside = named.with_name(f"{named.name}_{domain}")
            root = beside if output is None else output if single else output / named.name
            tasks += [Task(source, root / source.relative_to(given)) for source in _sources(given, root)]
        elif output is None:
            tasks.append(Task(given, given.with_name(f"{given.stem}_{domain}{given.suffix}")))
        elif single and output.suffix.lower() in FORMAT_OF and not output.is_dir():
            tasks.append(Task(given, output))
        else:
            tasks.append(Task(given, output / given.name))
    if image_format:
        tasks = [Task(task.source, task.target.with_suffix(f".{image_format}")) for task in tasks]
    refuse_collisions(tasks)
    return tasks


def _sources(folder: Path, root: Path) -> list[Path]:
    """Return the pictures in a folder, without those that an earlier translation into `root`, inside it, wrote."""
    found = list_pictures(folder)
    written = _real(root)
    if written == _real(folder) or not written.is_relative_to(_real(folder)):
        return found
    return [source for source in found if not _real(source.parent).is_relative_to(written)]


def _real(path: Path) -> Path:
    """Return a path with all links followed; unlike `Path.resolve`, it bears links that lead in circles."""
    return Path(os.path.realpath(path))


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file; a name that the system cannot take is none, and is told when it is written."""
    try:
        return path.exists()
    except OSError:
        return False


def refuse_collisions(tasks: Iterable[Task]) -> None:
    """Raise an error if two pictures would become one file, or one would be written over a source."""
    sources = {_real(task.source) for task in tasks}
    taken: dict[str, Task] = {}
    for task in tasks:
        other = taken.setdefault(os.path.normcase(task.target), task)
        if other is not task:
            raise DataError(
                f"{printable(other.source)} and {printable(task.source)} would both become {printable(task.target)}.",
                "Rename one, or translate them apart.",
            )
        if _real(task.target) in sources:
            raise DataError(f"{printable(task.target)} would be written over a source.", "Choose another --output.")


@dataclass
class Piece:
    """A picture on its way from file to file, or what stopped it."""

    task: Task
    picture: Picture | None = None
    error: CycleganError | None = None

    def attempt(self, work: Callable[[], Picture | None]) -> "Piece":
        """Do the next piece of work, unless an earlier one failed; a failure is kept, not raised."""
        if self.error is None:
            try:
                self.picture = work()
            except CycleganError as error:
                self.picture, self.error = None, error
        return self


def translate_all(
    tasks: Sequence[Task],
    translator: Translator,
    manner: Manner,
    *,
    on_picture: Callable[[], object] = lambda: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Redraw every picture, decoding and encoding while the network computes; pictures that fail are listed."""
    outcome = Outcome()
    for folder in {task.target.parent for task in tasks}:
        remove_partials(folder, idle=LONG)

    def wanted() -> Iterator[Piece]:
        for task in tasks:
            if interrupted():
                return
            if not manner.overwrite and _is_there(task.target):
                outcome.skipped.append(task)
                on_picture()
            else:
                yield Piece(task)

    opened = map_ahead(lambda piece: _open(piece, manner), wanted(), workers=THREADS, ahead=THREADS + manner.batch_size)
    redrawn = (
        piece for batch in batched_by_size(opened, manner.batch_size) for piece in _redraw(batch, translator, manner)
    )
    for piece in map_ahead(_write, redrawn, workers=THREADS):
        if piece.error:
            outcome.failed.append(piece.error)
        else:
            outcome.done.append(piece.task)
        on_picture()
    return outcome


def batched_by_size(pieces: Iterable[Piece], most: int) -> Iterator[list[Piece]]:
    """Yield neighbours whose pictures have one size together, at most `most` of them."""
    batch: list[Piece] = []
    for piece in pieces:
        if batch and (len(batch) == most or _shape(piece) != _shape(batch[0])):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _shape(piece: Piece) -> tuple[int, ...] | None:
    return piece.picture.pixels.shape if piece.picture else None


def _open(piece: Piece, manner: Manner) -> Piece:
    def work() -> Picture:
        picture = read_picture(piece.task.source, manner.max_pixels)
        if not manner.size:
            return picture
        height, width = size_with_short_side(picture.pixels.shape[0], picture.pixels.shape[1], manner.size)
        if height * width > manner.max_pixels:
            raise PictureError(
                f"{printable(piece.task.source)} would have {width} x {height} pixels.", "Choose a smaller --size."
            )
        return picture.with_pixels(resized(picture.pixels, width, height))

    return piece.attempt(work)


def _redraw(batch: list[Piece], translator: Translator, manner: Manner) -> list[Piece]:
    """Send a batch through the network; one that is too large for the device fails as a whole."""
    pictures = [piece.picture for piece in batch if piece.picture]
    if not pictures:
        return batch
    images = torch.cat([to_images(picture.pixels) for picture in pictures])
    try:
        with memory_errors(translator.device, "Try a smaller --batch-size or --size, or --device cpu."):
            redrawn = translator.redraw(images).cpu()
    except DeviceError as error:
        for piece in batch:
            piece.error = DeviceError(f"{printable(piece.task.source)} is too large: {error}", error.hint)
        return batch
    if manner.strength != 1:
        redrawn = images + manner.strength * (redrawn - images)
    for piece, picture, image in zip(batch, pictures, redrawn, strict=True):
        piece.picture = picture.with_pixels(to_pixels(image))
    return batch


def _write(piece: Piece) -> Piece:
    def work() -> None:
        if piece.picture:
            target = piece.task.target
            renamed = target.suffix.lower() != piece.task.source.suffix.lower()
            wanted = FORMAT_OF.get(target.suffix.lower()) if renamed else None
            write_picture(piece.picture, target, wanted or piece.picture.format)

    return piece.attempt(work)
