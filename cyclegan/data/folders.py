"""Lists pictures in folders, and decides the order in which they are drawn."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np

from cyclegan.errors import DataError
from cyclegan.images import FORMAT_OF
from cyclegan.text import counted, printable

Element = TypeVar("Element")
MAX_SUFFIXES_NAMED = 8  # of files that were passed over
SYSTEM_NAMES = (  # thumbnails, resource forks and bins of network drives, macOS and Windows
    "@eadir", "#recycle", "__macosx", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"
)  # fmt: skip
FolderPair = tuple[Path, Path]  # of pictures of A and of B


@dataclass(frozen=True)
class DomainFolders:
    """The folders of a data set."""

    train: FolderPair
    test: FolderPair | None  # held out, if there are any


def find_domains(folder: Path) -> DomainFolders | None:
    """Find `trainA` and `trainB`, or `train/A` and `train/B`, and `testA` and `testB` beside them."""
    for between in ("", "/"):
        train, test = ((folder / f"{part}{between}A", folder / f"{part}{between}B") for part in ("train", "test"))
        if all(path.is_dir() for path in train):
            return DomainFolders(train, test if all(path.is_dir() for path in test) else None)
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
    pictures = sorted((path for path in files if path.suffix.lower() in suffixes), key=lambda path: path.as_posix())
    if not pictures and not allow_empty:
        others = describe_passed_over(count_suffixes(files))
        raise DataError(
            f"there are no pictures in {printable(folder)}." + f" {others}" * bool(others),
            f"Put pictures there; known suffixes are {', '.join(suffixes)}.",
        )
    return pictures


def passed_over(folder: Path) -> Counter[str]:
    """Count the visible files below a folder that have no picture's suffix, by suffix."""
    return count_suffixes(path for path in visible_files(folder) if path.suffix.lower() not in FORMAT_OF)


def count_suffixes(files: Iterable[PurePath]) -> Counter[str]:
    """Count files by lower-case suffix."""
    return Counter(path.suffix.lower() for path in files)


def describe_passed_over(kinds: Mapping[str, int]) -> str:
    """Return a message about files that were passed over; "" if there are none."""
    total = sum(kinds.values())
    if not total:
        return ""
    ordered = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))
    counts = [f"{count:,} {printable(suffix) or 'without a suffix'}" for suffix, count in ordered[:MAX_SUFFIXES_NAMED]]
    others = sum(count for _, count in ordered[MAX_SUFFIXES_NAMED:])
    counts += [f"{others:,} of other kinds"] if others else []
    return f"{counted(total, 'file')} {'was' if total == 1 else 'were'} passed over: {', '.join(counts)}."


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the visible files below `folder`; linked folders are not entered, so there is no loop."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{printable(folder)} cannot be read: {error.strerror}.", "Check its permissions.") from error
    for path in paths:
        if is_hidden(path.name):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from visible_files(path)
        elif path.is_file() or path.is_symlink():
            yield path  # no pipes and devices; a broken link is an error when it is read


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is hidden, or belongs to an operating system."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def evenly_spaced(items: Sequence[Element], most: int) -> list[Element]:
    """Return at most `most` items, evenly spaced from the first to the last."""
    return [items[index] for index in np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)]


def picture_index(seed: int, stream: int, draw: int, pictures: int) -> int:
    """Return the index, below `pictures`, of the `draw`-th picture of a domain (its `stream`).

    Every picture comes once in each round, and each round has another order. The index follows from the arguments
    alone, so a continued run draws the same pictures as an uninterrupted one.
    """
    round_, position = divmod(draw, pictures)
    return int(_order(seed, stream, round_, pictures)[position])


@lru_cache(maxsize=8)
def _order(seed: int, stream: int, round_: int, pictures: int) -> np.ndarray:
    return np.random.default_rng([seed, stream, round_]).permutation(pictures)
