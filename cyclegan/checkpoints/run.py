"""A run's folder: its layout and its lock.

config.toml            every setting
model.safetensors      both generators, and the discriminators for scores; self-describing
best.safetensors       the best of each direction so far by validation, where there is validation
teacher.safetensors    a copy of the teacher, with distillation
state/                 all that an exact continuation needs: the last two states, and the lock
metrics.jsonl          one line per logging interval
samples/               grids of real | fake | cycled
held_out/              of the last validation: numbers of every held-out picture, and a grid of the best and worst
tensorboard/           metrics and sample grids again, where they are asked for
evaluation.json        scores against known counterparts (of the demo)
train.log              what the training said, where the page started it
report.html
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from cyclegan.atomic import PARTIALS, make_folder, remove_partials, sync_folder, write_text
from cyclegan.config import Config, build_config, load_settings
from cyclegan.errors import DiskError, RunError, disk_errors
from cyclegan.text import printable


@dataclass(frozen=True)
class Run:
    """A run's folder and the paths in it."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """Every setting, as TOML."""
        return self.folder / "config.toml"

    @property
    def model(self) -> Path:
        """What translate loads."""
        return self.folder / "model.safetensors"

    @property
    def best(self) -> Path:
        """The best of each direction so far by validation."""
        return self.folder / "best.safetensors"

    @property
    def teacher(self) -> Path:
        """A copy of the teacher, with distillation."""
        return self.folder / "teacher.safetensors"

    @property
    def states(self) -> Path:
        """The folder of states."""
        return self.folder / "state"

    @property
    def lock(self) -> Path:
        """Locked while a process trains."""
        return self.states / "lock"

    @property
    def process(self) -> Path:
        """The process that trains, or trained last."""
        return self.states / "process"

    @property
    def metrics(self) -> Path:
        """One JSON object per line."""
        return self.folder / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """The folder of sample grids, named after their step."""
        return self.folder / "samples"

    @property
    def held_out(self) -> Path:
        """The folder of numbers and grids of held-out pictures, named after the step."""
        return self.folder / "held_out"

    @property
    def tensorboard(self) -> Path:
        """The folder that TensorBoard reads, where it is asked for."""
        return self.folder / "tensorboard"

    @property
    def evaluation(self) -> Path:
        """Scores against known counterparts."""
        return self.folder / "evaluation.json"

    @property
    def log(self) -> Path:
        """The messages of the last training that the page started."""
        return self.folder / "train.log"

    @property
    def report(self) -> Path:
        """The report on this run."""
        return self.folder / "report.html"

    def load_config(self) -> Config:
        """Read the settings of this run."""
        return build_config(load_settings(self.config))


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Lock a run's folder against other trainings."""
    lock = FileLock(run.lock, timeout=0)
    with disk_errors(run.folder):
        make_folder(run.states)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another training is at work in {printable(run.folder)}: {_process_of_lock(run)}.",
                "Wait for it, or give this one another --name.",
            ) from error
        record_process(run, os.getpid())
    try:
        for folder in (run.folder, run.states, run.samples, run.held_out):
            remove_partials(folder)
        yield
    finally:
        lock.release()


def record_process(run: Run, process_id: int) -> None:
    """Write down which process of this machine trains a run."""
    write_text(run.process, f"process {process_id} on {platform.node()}")


def _process_of_lock(run: Run) -> str:
    """Return the process that locked the run last."""
    with suppress(OSError):
        return printable(run.process.read_text(encoding="utf-8", errors="replace")[:200])
    return "a process that has just started"


def require_run(run: Run) -> None:
    """Raise an error if a run was moved or deleted while it trains: the next file would bring part of it back."""
    if not run.config.is_file():
        raise DiskError(
            f"{printable(run.folder)} cannot be written: the run in it is gone.",
            "If it was moved, name its new folder with --checkpoints and --name; else the same command starts again.",
        )


def set_aside(run: Run) -> Path | None:
    """Move an old run aside, never delete it; return its new path, or None if there was none."""
    if not run.folder.exists():
        return None
    with locked(run):
        pass  # no process trains it
    names = (run.folder.with_name(f"{run.name}.{number}") for number in count(1))
    aside = next(path for path in names if not path.exists())
    with disk_errors(run.folder):
        run.folder.rename(aside)
        sync_folder(aside.parent)
    return aside


def can_start(run: Run) -> bool:
    """Tell whether a run's folder is empty, or holds only files of a run killed before its first save."""
    own = {run.states, run.config, run.teacher, run.log}
    if run.config.is_file():
        own |= {run.metrics, run.samples, run.held_out, run.tensorboard, run.report}
    return all(path in own or path.match(PARTIALS) for path in run.folder.iterdir())
