"""What `cyclegan train` makes of one place instead of two folders: a data set, by its path or its name."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclegan.errors import ConfigError, CycleganError, DataError, printable

if TYPE_CHECKING:
    from cyclegan.data.folders import DomainFolders

DATASETS = Path("datasets")  # where sets are downloaded to, and found by their names


@dataclass(frozen=True)
class NamedSet:
    """A data set on this machine."""

    name: str
    settings: dict[str, str]  # of the section `data`
    held_out: dict[str, str]  # likewise: its test pictures, to validate with


def data_set_at(place: Path) -> NamedSet | None:
    """Return the data set in a folder, or in the one of this name under datasets/, if there is one."""
    from cyclegan.data.folders import find_domains
    from cyclegan.data.sets import domain_names

    for folder in (Path(os.path.abspath(path)) for path in (place, DATASETS / place)):  # noqa: PTH100
        if found := find_domains(folder):
            (folder_a, folder_b), (name_a, name_b) = found.train, domain_names(folder.name)
            return NamedSet(
                folder.name,
                {
                    "folder_a": os.path.realpath(folder_a),
                    "folder_b": os.path.realpath(folder_b),
                    "name_a": name_a,
                    "name_b": name_b,
                },
                held_out_in(found),
            )
    return None


def held_out_in(found: "DomainFolders") -> dict[str, str]:
    """Return the settings that validate with a set's test pictures, where there are enough."""
    from cyclegan.data.domains import MIN_HELD_OUT
    from cyclegan.data.folders import list_pictures

    if not found.test or any(len(list_pictures(folder, allow_empty=True)) < MIN_HELD_OUT for folder in found.test):
        return {}
    return {f"validate_{side}": os.path.realpath(folder) for side, folder in zip("ab", found.test, strict=True)}


def without_folders(place: Path | None) -> CycleganError:
    """Return what is wrong with a command line that does not lead to two folders."""
    from cyclegan.data.sets import known_sets, near_names

    write = "Write: cyclegan train horses/ zebras/"
    if place is None:
        return ConfigError("two folders of pictures are needed.", write)
    for folder in (place, DATASETS / place):
        if folder.is_dir():
            return DataError(f"{printable(folder)} holds no trainA and trainB; name two folders instead.", write)
    if str(place) in known_sets():
        return DataError(f"{place} is not downloaded yet: cyclegan download {place}")
    near = "".join(f"Did you mean {name}? " for name in near_names(str(place))[:1])
    return DataError(f"there is no folder and no downloaded data set {printable(place)}.", f"{near}{write}")
