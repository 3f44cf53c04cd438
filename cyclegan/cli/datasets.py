"""A data set in place of two folders for `cyclegan train`, by its path or its name."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclegan.errors import ConfigError, CycleganError, DataError
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.data.folders import DomainFolders

DATASETS = Path("datasets")  # where `cyclegan download` puts them


@dataclass(frozen=True)
class LocalDataSet:
    """A data set on this machine."""

    name: str
    settings: dict[str, str]  # of the section `data`
    validation: dict[str, str]  # settings too: the test pictures, where there are enough


def find_data_set(path: Path) -> LocalDataSet | None:
    """Return the data set in a folder, or in datasets/ under this name; None if there is none."""
    from cyclegan.data.folders import find_domains
    from cyclegan.data.sets import domain_names

    for folder in (Path(os.path.abspath(candidate)) for candidate in (path, DATASETS / path)):  # noqa: PTH100
        if folders := find_domains(folder):
            (folder_a, folder_b), (name_a, name_b) = folders.train, domain_names(folder.name)
            return LocalDataSet(
                folder.name,
                {
                    "folder_a": os.path.realpath(folder_a),
                    "folder_b": os.path.realpath(folder_b),
                    "name_a": name_a,
                    "name_b": name_b,
                },
                validation_settings(folders),
            )
    return None


def validation_settings(folders: "DomainFolders") -> dict[str, str]:
    """Return the settings that validate with the test pictures, where there are enough."""
    from cyclegan.data.domains import MIN_HELD_OUT
    from cyclegan.data.folders import list_pictures

    if not folders.test or any(len(list_pictures(folder, allow_empty=True)) < MIN_HELD_OUT for folder in folders.test):
        return {}
    return {f"validate_{domain}": os.path.realpath(folder) for domain, folder in zip("ab", folders.test, strict=True)}


def missing_folders_error(path: Path | None) -> CycleganError:
    """Return the error of a command line that names neither two folders nor a data set."""
    from cyclegan.data.sets import known_sets, similar_names

    example = "Write: cyclegan train horses/ zebras/"
    if path is None:
        return ConfigError("two folders of pictures are needed.", example)
    for folder in (path, DATASETS / path):
        if folder.is_dir():
            return DataError(f"{printable(folder)} holds no trainA and trainB; name two folders instead.", example)
    if str(path) in known_sets():
        return DataError(f"{path} is not downloaded yet: cyclegan download {path}")
    suggestion = "".join(f"Did you mean {name}? " for name in similar_names(str(path))[:1])
    return DataError(f"there is no folder and no downloaded data set {printable(path)}.", f"{suggestion}{example}")
