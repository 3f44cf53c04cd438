"""Which picture becomes which file, decided and checked before any work is done."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cyclegan.data.folders import list_pictures
from cyclegan.errors import DataError, printable
from cyclegan.images import FORMAT_OF
from cyclegan.video.frames import CLIP_SUFFIXES

SUFFIXES = (*FORMAT_OF, *CLIP_SUFFIXES)


@dataclass(frozen=True)
class Task:
    """One picture or clip to redraw, and the file it becomes."""

    source: Path
    target: Path
    root: Path  # the folder that everything of the same input goes to


def plan_tasks(
    inputs: Sequence[Path],
    domain: str,
    *,
    output: Path | None = None,
    image_format: str | None = None,
    watched: bool = False,
) -> list[Task]:
    """Say what becomes of every picture and clip in the inputs, which are folders and single files.

    Without an output, a folder's pictures go beside it into `<folder>_<domain>`, and a picture becomes
    `<picture>_<domain>`. With one, a single file is written to it; anything more goes into it as into a folder, and
    each of several folders under its own name there. Two inputs that would become one file are an error, and so is a
    folder without pictures, unless it is watched for some to come.
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
            root = root_of(named, domain, output, alone=single)
            tasks += [Task(source, root / source.relative_to(given), root) for source in _sources(given, root, watched)]
        elif output is None:
            tasks.append(Task(given, given.with_name(f"{given.stem}_{domain}{given.suffix}"), given.parent))
        elif single and output.suffix.lower() in SUFFIXES and not output.is_dir():
            if names_a_clip(given) != names_a_clip(output):
                raise DataError(
                    f"{printable(given)} cannot become {printable(output)}: a clip stays a clip, a picture a picture.",
                    "Choose another suffix.",
                )
            tasks.append(Task(given, output, output.parent))
        else:
            tasks.append(Task(given, output / given.name, output))
    tasks = [in_format(task, image_format) for task in tasks]
    refuse_collisions(tasks)
    return tasks


def root_of(folder: Path, domain: str, output: Path | None, *, alone: bool) -> Path:
    """Return the folder that what becomes of a folder goes to, which is named alone or among others."""
    if output is None:
        return folder.with_name(f"{folder.name}_{domain}")
    return output if alone else output / folder.name


def in_format(task: Task, image_format: str | None) -> Task:
    """Return the task with its picture written in another format, if one is asked for; clips keep theirs."""
    if image_format is None or is_clip(task):
        return task
    return replace(task, target=task.target.with_suffix(f".{image_format}"))


def is_clip(task: Task) -> bool:
    """Tell whether a task's source is a video, by its suffix; a GIF or WebP that moves is found when it is opened."""
    return names_a_clip(task.source)


def names_a_clip(path: Path) -> bool:
    """Tell whether a suffix is a video's."""
    return path.suffix.lower() in CLIP_SUFFIXES


def _sources(folder: Path, root: Path, watched: bool) -> list[Path]:
    """Return the pictures in a folder, without those that an earlier translation into `root`, inside it, wrote."""
    found = list_pictures(folder, SUFFIXES, may_be_none=watched)
    written = _real(root)
    if written == _real(folder) or not written.is_relative_to(_real(folder)):
        return found
    return [source for source in found if not _real(source.parent).is_relative_to(written)]


def _real(path: Path) -> Path:
    """Return a path with all links followed; unlike `Path.resolve`, it bears links that lead in circles."""
    return Path(os.path.realpath(path))


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
