"""Known data sets, and the names of their domains."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from cyclegan.errors import DataError
from cyclegan.text import printable


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set; `sets.toml` explains the fields."""

    name: str
    licence: str = "unknown"
    urls: tuple[str, ...] = ()
    instead: str = ""
    size: int | None = None  # bytes of the archive
    sha256: str | None = None
    domains: tuple[str, str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)  # pictures by folder


@cache
def known_sets() -> dict[str, DataSet]:
    """Return the known data sets by their names."""
    table = tomllib.loads(files("cyclegan.data").joinpath("sets.toml").read_text(encoding="utf-8"))
    return {name: DataSet(name=name, **_with_tuples(entry)) for name, entry in table.items()}


def find_set(name: str, *, has_source: bool = False) -> DataSet:
    """Return a known data set; one of any name if the user names its source."""
    if name in known_sets():
        return known_sets()[name]
    if not re.fullmatch(r"\w[\w-]*", name):
        raise DataError(f"{printable(name)} cannot be a data set's name.", "Use only letters, digits, _ and -.")
    if has_source:
        return DataSet(name=name)
    similar = similar_names(name)
    raise DataError(
        f"no data set called {printable(name)} is known.",
        f"Did you mean {' or '.join(similar)}?"
        if similar
        else "See cyclegan download --list, or name its archive with --from.",
    )


def similar_names(name: str) -> list[str]:
    """Return known names that resemble `name`."""
    return get_close_matches(name.lower(), known_sets(), n=3, cutoff=0.5)


def domain_names(name: str) -> tuple[str, str]:
    """Return the names of a data set's domains: known ones, or from a name like `horse2zebra`, else A and B."""
    known = known_sets().get(name)
    if known and known.domains:
        return known.domains
    parts = re.fullmatch(r"(.*[^\W\d_])2([^\W\d_].*)", name)
    return (parts[1], parts[2]) if parts and parts[1] != parts[2] else ("A", "B")


def _with_tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
