"""Inspection of data folders, runs, model files or this machine: findings with suggestions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan.checkpoints.run import Run
from cyclegan.errors import DataError
from cyclegan.inspection.checkpoints import ModelReport, RunReport, inspect_model, inspect_run
from cyclegan.inspection.data_folders import (
    DataFolder,
    FolderFacts,
    FolderReport,
    count_pictures,
    data_folders,
    inspect_folders,
)
from cyclegan.inspection.findings import Finding
from cyclegan.inspection.machine import MachineReport, inspect_machine
from cyclegan.text import printable

__all__ = [
    "Finding",
    "FolderFacts",
    "FolderReport",
    "Inspection",
    "MachineReport",
    "ModelReport",
    "RunReport",
    "Targets",
    "classify",
    "inspect_targets",
]


@dataclass(frozen=True)
class Targets:
    """The things to inspect; if there are none, this machine."""

    folders: list[DataFolder] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """The number of pictures to read."""
        return count_pictures(self.folders)


@dataclass(frozen=True)
class Inspection:
    """A report on each target."""

    folders: FolderReport | None
    runs: list[RunReport]
    models: list[ModelReport]
    machine: MachineReport | None


def classify(paths: Sequence[Path], checkpoints: Path = Path("checkpoints")) -> Targets:
    """Return paths as data folders, runs (named by folder or name) and model files."""
    folders, runs, models = [], [], []
    for path in dict.fromkeys(paths):
        run = next((folder for folder in (path, checkpoints / path) if (folder / "config.toml").is_file()), None)
        if run:
            runs.append(Run(run))
        elif path.is_dir():
            folders.append(path)
        elif path.suffix.lower() == ".safetensors" and path.is_file():
            models.append(path)
        elif path.exists():
            raise DataError(
                f"{printable(path)} is neither a folder, a run nor a model file.",
                "Name a folder of pictures, a run's folder or its model.safetensors; .pth files are for "
                "`cyclegan import`.",
            )
        else:
            raise DataError(f"there is no folder, run or model {printable(path)}.", "Check the path.")
    return Targets(data_folders(folders), runs, models)


def inspect_targets(
    targets: Targets, *, size: int = 256, on_picture: Callable[[], object] = lambda: None, disk: Path = Path()
) -> Inspection:
    """Inspect all targets, pictures for training at `size` pixels; without targets, the machine and a folder's disk."""
    any_target = targets.folders or targets.runs or targets.models
    return Inspection(
        folders=inspect_folders(targets.folders, size, on_picture=on_picture) if targets.folders else None,
        runs=[inspect_run(run) for run in targets.runs],
        models=[inspect_model(path) for path in targets.models],
        machine=None if any_target else inspect_machine(disk),
    )
