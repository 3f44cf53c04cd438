"""Folders of pictures, and which picture comes when."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from cyclegan.errors import DataError, printable
from cyclegan.images import FORMAT_OF

Item = TypeVar("Item")
Pair = tuple[Path, Path]  # a folder of pictures of A, and one of B


@dataclass(frozen=True)
class DomainFolders:
    """Where a data set keeps its two domains."""

    train: Pair
    test: Pair | None  # held out, if the set holds any out


def domains_in(folder: Path) -> DomainFolders | None:
    """Find `trainA` and `trainB`, or `train/A` and `train/B`, and what is held out beside them."""
    for between in ("", "/"):
        train, test = ((folder / f"{part}{between}A", folder / f"{part}{between}B") for part in ("train", "test"))
        if all(place.is_dir() for place in train):
            return DomainFolders(train, test if all(place.is_dir() for place in test) else None)
    return None


def list_pictures(
    folder: Path, suffixes: Collection[str] = tuple(FORMAT_OF), *, may_be_none: bool = False
) -> list[Path]:
    """Return every file below `folder` that has a picture's suffix, in a fixed order; hidden files are left out."""
    if not folder.exists():
        raise DataError(f"there is no folder {printable(folder)}.", "Check the path.")
    if not folder.is_dir():
        raise DataError(f"{printable(folder)} is a file, not a folder of pictures.", "Name the folder it is in.")
    found = sorted(walk(folder, suffixes), key=lambda path: path.as_posix())
    if not found and not may_be_none:
        raise DataError(
            f"there are no pictures in {printable(folder)}.",
            f"Put pictures there; known suffixes are {', '.join(suffixes)}.",
        )
    return found


def walk(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the picture files below `folder`; linked folders are not entered, so no loop is ever met."""
    try:
        places = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{printable(folder)} cannot be read: {error.strerror}.", "Check its permissions.") from error
    for place in places:
        if place.name.startswith("."):
            continue
        if place.is_dir():
            if not place.is_symlink():
                yield from walk(place, suffixes)
        elif place.suffix.lower() in suffixes and (place.is_file() or place.is_symlink()):
            yield place  # no pipes and devices; a link that leads nowhere is named when it is read


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most `most` of the items, evenly chosen from the first to the last."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)]


def drawn(seed: int, stream: int, draw: int, pictures: int) -> int:
    """Return which of `pictures` comes at the `draw`-th draw of a domain (its `stream`).

    Every picture comes once before any comes again, each time round in another order. The answer follows from the
    arguments alone, so a continued run draws what an unbroken one would have drawn.
    """
    turn, place = divmod(draw, pictures)
    return int(_order(seed, stream, turn, pictures)[place])


@lru_cache(maxsize=8)
def _order(seed: int, stream: int, turn: int, pictures: int) -> np.ndarray:
    return np.random.default_rng([seed, stream, turn]).permutation(pictures)
