"""Data sets with a name: a table of the known ones, and what the domains of any are called."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from cyclegan.errors import DataError, printable


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """What is known of a data set; `sets.toml` says what each means."""

    name: str
    licence: str = "unknown"
    urls: tuple[str, ...] = ()
    instead: str = ""
    size: int | None = None  # bytes of the archive
    sha256: str | None = None
    domains: tuple[str, str] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)  # folder -> pictures


@cache
def known_sets() -> dict[str, DataSet]:
    """Return the known data sets by their names."""
    table = tomllib.loads(files("cyclegan.data").joinpath("sets.toml").read_text(encoding="utf-8"))
    return {name: DataSet(name=name, **_with_tuples(entry)) for name, entry in table.items()}


def find_set(name: str, *, elsewhere: bool = False) -> DataSet:
    """Return a known data set, or one of any name whose archive the user has `elsewhere`."""
    if name in known_sets():
        return known_sets()[name]
    if not re.fullmatch(r"\w[\w-]*", name):
        raise DataError(f"{printable(name)} cannot be a data set's name.", "Use letters, digits, _ and - alone.")
    if elsewhere:
        return DataSet(name=name)
    near = near_names(name)
    raise DataError(
        f"no data set called {printable(name)} is known.",
        f"Did you mean {' or '.join(near)}?"
        if near
        else "See cyclegan download --list, or name its archive with --from.",
    )


def near_names(name: str) -> list[str]:
    """Return the known names that `name` may have been meant to be."""
    return get_close_matches(name.lower(), known_sets(), n=3, cutoff=0.5)


def domain_names(name: str) -> tuple[str, str]:
    """Return what the domains of a data set are called: as is known, as in `horse2zebra`, else A and B."""
    known = known_sets().get(name)
    if known and known.domains:
        return known.domains
    parts = re.fullmatch(r"(.*[^\W\d_])2([^\W\d_].*)", name)
    return (parts[1], parts[2]) if parts and parts[1] != parts[2] else ("A", "B")


def _with_tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
