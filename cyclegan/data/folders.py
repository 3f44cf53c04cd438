"""Folders of pictures, and which picture comes when."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np

from cyclegan.errors import DataError, printable
from cyclegan.images import FORMAT_OF

Item = TypeVar("Item")
KINDS_NAMED = 8  # of files that were passed over
SYSTEM_NAMES = (  # thumbnails, resource forks and bins of network drives, macOS and Windows
    "@eadir", "#recycle", "__macosx", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"
)  # fmt: skip
Pair = tuple[Path, Path]  # a folder of pictures of A, and one of B


@dataclass(frozen=True)
class DomainFolders:
    """Where a data set keeps its two domains."""

    train: Pair
    test: Pair | None  # held out, if the set holds any out


def find_domains(folder: Path) -> DomainFolders | None:
    """Find `trainA` and `trainB`, or `train/A` and `train/B`, and what is held out beside them."""
    for between in ("", "/"):
        train, test = ((folder / f"{part}{between}A", folder / f"{part}{between}B") for part in ("train", "test"))
        if all(place.is_dir() for place in train):
            return DomainFolders(train, test if all(place.is_dir() for place in test) else None)
    return None


def list_pictures(
    folder: Path, suffixes: Collection[str] = tuple(FORMAT_OF), *, allow_empty: bool = False
) -> list[Path]:
    """Return every file below `folder` that has a picture's suffix, in a fixed order; hidden files are left out."""
    if not folder.exists():
        raise DataError(f"there is no folder {printable(folder)}.", "Check the path.")
    if not folder.is_dir():
        raise DataError(f"{printable(folder)} is a file, not a folder of pictures.", "Name the folder it is in.")
    files = list(visible_files(folder))
    found = sorted((path for path in files if path.suffix.lower() in suffixes), key=lambda path: path.as_posix())
    if not found and not allow_empty:
        others = describe_passed_over(count_suffixes(files))
        raise DataError(
            f"there are no pictures in {printable(folder)}." + f" {others}" * bool(others),
            f"Put pictures there; known suffixes are {', '.join(suffixes)}.",
        )
    return found


def passed_over(folder: Path) -> Counter[str]:
    """Count the visible files below a folder that are no pictures by their names, by suffix."""
    return count_suffixes(path for path in visible_files(folder) if path.suffix.lower() not in FORMAT_OF)


def count_suffixes(files: Iterable[PurePath]) -> Counter[str]:
    """Count files by suffix, in small letters."""
    return Counter(path.suffix.lower() for path in files)


def describe_passed_over(kinds: Mapping[str, int]) -> str:
    """Return how many files of which kinds were passed over; nothing if there are none."""
    total = sum(kinds.values())
    if not total:
        return ""
    ordered = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    named = [f"{count:,} {printable(suffix) or 'without a suffix'}" for suffix, count in ordered[:KINDS_NAMED]]
    others = sum(count for _, count in ordered[KINDS_NAMED:])
    named += [f"{others:,} of other kinds"] if others else []
    what = "1 file was" if total == 1 else f"{total:,} files were"
    return f"{what} passed over: {', '.join(named)}."


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the visible files below `folder`; linked folders are not entered, so no loop is ever met."""
    try:
        places = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{printable(folder)} cannot be read: {error.strerror}.", "Check its permissions.") from error
    for place in places:
        if is_hidden(place.name):
            continue
        if place.is_dir():
            if not place.is_symlink():
                yield from visible_files(place)
        elif place.is_file() or place.is_symlink():
            yield place  # no pipes and devices; a link that leads nowhere is named when it is read


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is hidden, or is kept by a system for itself."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def evenly_spaced(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of the items, evenly chosen from the first to the last."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)]


def picture_index(seed: int, stream: int, draw: int, pictures: int) -> int:
    """Return which of `pictures` comes at the `draw`-th draw of a domain (its `stream`).

    Every picture comes once before any comes again, each time round in another order. The answer follows from the
    arguments alone, so a continued run draws what an unbroken one would have drawn.
    """
    turn, place = divmod(draw, pictures)
    return int(_order(seed, stream, turn, pictures)[place])


@lru_cache(maxsize=8)
def _order(seed: int, stream: int, turn: int, pictures: int) -> np.ndarray:
    return np.random.default_rng([seed, stream, turn]).permutation(pictures)
