"""Targets: which input becomes which file, decided and checked before the work begins."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cyclegan.data.folders import count_suffixes, list_pictures, visible_files
from cyclegan.errors import DataError
from cyclegan.images import FORMAT_OF, FORMATS
from cyclegan.text import printable
from cyclegan.video.frames import READ_ONLY_VIDEOS, VIDEO_SUFFIXES

SUFFIXES = (*FORMAT_OF, *VIDEO_SUFFIXES, *READ_ONLY_VIDEOS)


@dataclass(frozen=True)
class Target:
    """One picture or video to translate, and the file that it becomes."""

    source: Path
    path: Path
    root: Path  # the folder of all outputs of the same input
    source_name: str | None = None  # the name of the source in messages; None: its path

    @property
    def label(self) -> str:
        """The name of the source in messages."""
        return self.source_name or str(self.source)

    @property
    def is_video(self) -> bool:
        """Whether the source is a video, by its suffix; a GIF or WebP that moves is found when it is opened."""
        return is_video_name(self.source)

    def stays_animation(self) -> bool:
        """Tell whether the source is an animation that keeps its format, and so its motion; it opens the file."""
        suffix = self.source.suffix.lower()
        name = FORMAT_OF.get(suffix)
        if name is None or not FORMATS[name].animated or suffix != self.path.suffix.lower():
            return False
        from cyclegan.video.animations import is_animation

        return is_animation(self.source)


def plan_targets(
    inputs: Sequence[Path],
    domain: str,
    *,
    output: Path | None = None,
    image_format: str | None = None,
    watched: bool = False,
) -> list[Target]:
    """Plan the targets of all pictures and videos in the inputs, which are folders and single files.

    Without an output, a folder's pictures go beside it into `<folder>_<domain>`, and a picture becomes
    `<picture>_<domain>`. With one, a single file is written to it; anything more goes into it as into a folder, and
    each of several folders under its own name there. Two inputs that would become one file are an error, and so is a
    folder without pictures, unless folders are watched: there more may come, and the second of two is left out later.
    """
    targets: list[Target] = []
    for path in inputs:
        if not path.exists() and not path.is_symlink():
            raise DataError(f"there is no {printable(path)}.", "Check the path.")
        single = len(inputs) == 1
        if path.is_dir():
            if output is not None and output.is_file():
                raise DataError(f"{printable(output)} is a file.", "Name a folder for the outputs of a folder.")
            root = root_of(_with_name(path), domain, output, alone=single)
            targets += [
                Target(source, root / source.relative_to(path), root) for source in _sources(path, root, watched)
            ]
        elif output is None:
            targets.append(Target(path, path.with_name(f"{path.stem}_{domain}{path.suffix}"), path.parent))
        elif single and output.suffix.lower() in SUFFIXES and not output.is_dir():
            if is_video_name(path) != is_video_name(output):
                raise DataError(
                    f"{printable(path)} cannot become {printable(output)}: a video stays a video, a picture a picture.",
                    "Choose another suffix.",
                )
            _refuse_read_only(output)
            targets.append(Target(path, output, output.parent))
        else:
            targets.append(Target(path, output / path.name, output))
    targets = in_formats(targets, image_format)
    refuse_collisions(targets, watched=watched)
    return targets


def passed_over_in(inputs: Sequence[Path], domain: str, output: Path | None) -> Counter[str]:
    """Count the files in the inputs' folders that are neither pictures nor videos by their names, by suffix."""
    kinds: Counter[str] = Counter()
    for folder in filter(Path.is_dir, inputs):
        root = root_of(_with_name(folder), domain, output, alone=len(inputs) == 1)
        others = [path for path in visible_files(folder) if path.suffix.lower() not in SUFFIXES]
        kinds += count_suffixes(_outside(others, folder, root))
    return kinds


def _with_name(folder: Path) -> Path:
    """Return a folder by a path that ends in its name."""
    named = folder if folder.name not in ("", "..") else _real(folder)
    if not named.name:
        raise DataError(f"{printable(folder)} has no name.", "Name a folder in it.")
    return named


def root_of(folder: Path, domain: str, output: Path | None, *, alone: bool) -> Path:
    """Return the output folder of an input folder, which is the only input (`alone`) or one of several."""
    if output is None:
        return folder.with_name(f"{folder.name}_{domain}")
    return output if alone else output / folder.name


def in_formats(targets: Sequence[Target], image_format: str | None) -> list[Target]:
    """Return targets with the suffix of the format asked for or, for a format that is only read, of another one.

    `photo.psd` becomes `photo.tif`, or `photo.psd.tif` if something else becomes `photo.tif`.
    """

    def converted(target: Target) -> Path:
        if image_format and not target.is_video:
            return target.path.with_suffix(f".{image_format}")
        return target.path.with_suffix(suffix_to_write(target.path.suffix))

    counts = Counter(map(converted, targets))

    def final(target: Target) -> Path:
        path = converted(target)
        keeps_format = image_format is None or target.is_video
        is_only_read = keeps_format and path.suffix != target.path.suffix
        return target.path.with_name(target.path.name + path.suffix) if is_only_read and counts[path] > 1 else path

    return [replace(target, path=final(target)) for target in targets]


def suffix_to_write(suffix: str) -> str:
    """Return the suffix of the output: the source's, or another one for a format that is only read."""
    if video := READ_ONLY_VIDEOS.get(suffix.lower()):
        return video
    kind = FORMATS.get(FORMAT_OF.get(suffix.lower(), ""))
    return FORMATS[kind.written_as].suffixes[0] if kind and kind.written_as else suffix


def describe_changed_formats(targets: Iterable[Target]) -> list[str]:
    """Return messages about files whose format is only read, so that another one is written."""
    kinds = Counter(
        (target.source.suffix.lower(), target.path.suffix)
        for target in targets
        if target.path.suffix == suffix_to_write(target.source.suffix) != target.source.suffix
    )
    return [
        f"{count:,} {old} {'becomes' if count == 1 else 'become'} {new}: {old} is read here, but not written."
        for (old, new), count in kinds.items()
    ]


def _refuse_read_only(output: Path) -> None:
    if (suffix := suffix_to_write(output.suffix)) != output.suffix:
        raise DataError(f"{printable(output)}: {output.suffix} is read here, but not written.", f"Choose {suffix}.")


def is_video_name(path: Path) -> bool:
    """Tell whether a suffix is a video's."""
    return path.suffix.lower() in {*VIDEO_SUFFIXES, *READ_ONLY_VIDEOS}


def _sources(folder: Path, root: Path, watched: bool) -> list[Path]:
    """Return the pictures in a folder, without those that an earlier translation into `root`, inside it, wrote."""
    return _outside(list_pictures(folder, SUFFIXES, allow_empty=watched), folder, root)


def _outside(files: list[Path], folder: Path, root: Path) -> list[Path]:
    """Return the files of a folder without those below `root`, where that lies inside it."""
    written = _real(root)
    if written == _real(folder) or not written.is_relative_to(_real(folder)):
        return files
    return [source for source in files if not _real(source.parent).is_relative_to(written)]


def _real(path: Path) -> Path:
    """Return a path with all links followed; unlike `Path.resolve`, it bears links that lead in circles."""
    return Path(os.path.realpath(path))


class RealPaths:
    """Paths with all links followed; every folder's is found once, which many files in it would make slow."""

    def __init__(self) -> None:
        self.folders: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """Return a path with all links followed."""
        folder, name = os.path.split(path)
        if name == ".." or os.path.islink(path):  # noqa: PTH114 (many times faster than `Path`)
            return os.path.realpath(path)
        if folder not in self.folders:
            self.folders[folder] = os.path.realpath(folder)
        return os.path.join(self.folders[folder], name)  # noqa: PTH118


def shared_output(first: Target, second: Target) -> DataError:
    """Return the error for two pictures that would become one file."""
    return DataError(
        f"{printable(first.source)} and {printable(second.source)} would both become {printable(second.path)}.",
        "Rename one, or translate them apart.",
    )


def refuse_collisions(targets: Iterable[Target], *, watched: bool = False) -> None:
    """Raise an error if a picture would be written over a source, or, unless watched, two would become one file."""
    real = RealPaths()
    sources = {real.of(target.source) for target in targets}
    by_path: dict[str, Target] = {}
    for target in targets:
        other = by_path.setdefault(os.path.normcase(target.path), target)
        if other is not target and not watched:
            raise shared_output(other, target)
        if real.of(target.path) in sources:
            raise DataError(f"{printable(target.path)} would be written over a source.", "Choose another --output.")
