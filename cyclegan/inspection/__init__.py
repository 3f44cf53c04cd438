"""Looking over folders of pictures, runs, model files or this machine: what is wrong, and what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan.checkpoints.run import Run
from cyclegan.errors import DataError, printable
from cyclegan.inspection.findings import Finding
from cyclegan.inspection.folders import (
    FolderReport,
    PartFacts,
    amount_of_pictures,
    inspect_folders,
    parts_of,
)
from cyclegan.inspection.machine import MachineReport, inspect_machine
from cyclegan.inspection.models import ModelReport, RunReport, inspect_model, inspect_run

__all__ = [
    "Finding",
    "FolderReport",
    "Inspection",
    "MachineReport",
    "ModelReport",
    "PartFacts",
    "RunReport",
    "Subjects",
    "inspect",
    "sort_out",
]


@dataclass(frozen=True)
class Subjects:
    """What is to be looked over; nothing stands for this machine."""

    parts: list[tuple[Path, str, str]] = field(default_factory=list)  # folder, domain, train or test
    runs: list[Run] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """How many files there are to look at."""
        return amount_of_pictures(self.parts)


@dataclass(frozen=True)
class Inspection:
    """What was found out."""

    folders: FolderReport | None
    runs: list[RunReport]
    models: list[ModelReport]
    machine: MachineReport | None


def sort_out(paths: Sequence[Path], checkpoints: Path = Path("checkpoints")) -> Subjects:
    """Tell folders of pictures, runs (by their folder or name) and model files from one another."""
    folders, runs, models = [], [], []
    for path in dict.fromkeys(paths):
        run = next((place for place in (path, checkpoints / path) if (place / "config.toml").is_file()), None)
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
    return Subjects(parts_of(folders), runs, models)


def inspect(
    subjects: Subjects, *, size: int = 256, on_picture: Callable[[], object] = lambda: None, place: Path = Path()
) -> Inspection:
    """Look all of it over, pictures as for training at `size` pixels; where there is nothing, the machine."""
    anything = subjects.parts or subjects.runs or subjects.models
    return Inspection(
        folders=inspect_folders(subjects.parts, size, on_picture=on_picture) if subjects.parts else None,
        runs=[inspect_run(run) for run in subjects.runs],
        models=[inspect_model(path) for path in subjects.models],
        machine=None if anything else inspect_machine(place),
    )
