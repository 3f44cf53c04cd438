"""Train for many steps and translate many pictures; run from the repository's root.

    python -m scripts.reliability.soak [--steps 50000] [--pictures 100000] [--seed 0]

At equal distances memory, open files and what the command keeps on the disk are measured, and the processor time that
each step or picture took since. After the first tenth nothing may grow: memory and files by no more than a margin, and
the time not at all, as far as a line through it can tell. Put the temporary folder into memory
(TMPDIR=/dev/shm), where a picture is flushed in no time.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

import cyclegan
from cyclegan.config import build_config
from scripts.reliability.prepared import say
from scripts.untrained_model import write_untrained_model

SAMPLES = 50  # over the whole
WARM_UP = SAMPLES // 10
MAX_GROWTH_MIB = 64  # MiB that the allocators may keep to themselves
SIGMAS = 4.0  # by which a slope differs from none
MIN_GROWTH = 0.05  # of the time, from the first to the last, that is called growth
DATA = 20  # pictures of each domain
LINKED = 1000  # different pictures that are translated again and again, under names of their own
SMALL = {
    "data": {"size": 16},
    "generator": {"width": 2, "blocks": 1, "dropout": False},
    "discriminator": {"width": 2, "layers": 1},
}


@dataclass
class Record:
    """What was measured; `unit` is a step or a picture."""

    unit: str
    folder: Path
    is_written_to: Callable[[], int]  # bytes on the disk that must not grow
    memory: list[float] = field(default_factory=list)  # MiB
    files: list[int] = field(default_factory=list)
    disk: list[int] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)  # of processor time for each unit
    last: tuple[int, float] = (0, 0.0)

    def sample(self, done: int) -> None:
        """Measure after so many steps or pictures."""
        process, (before, used) = psutil.Process(), self.last
        self.last = done, time.process_time()
        self.memory.append(process.memory_info().rss / 2**20)
        self.files.append(process.num_fds())
        self.disk.append(self.is_written_to())
        self.milliseconds.append(1000 * (self.last[1] - used) / (done - before))
        say(
            f"{done:>9,} {self.unit}s {self.memory[-1]:6.0f} MiB {self.files[-1]:3d} files "
            f"{self.disk[-1] / 2**20:7.2f} MiB on disk {self.milliseconds[-1]:7.3f} ms of processor time"
        )

    def problems(self) -> list[str]:
        """Return what grew after the warm-up."""
        memory, files, disk = self.memory[WARM_UP:], self.files[WARM_UP:], self.disk[WARM_UP:]
        growth, error = growth_of(self.milliseconds[WARM_UP:])
        say(f"processor time of a {self.unit}: grew by {growth:.1%} ± {error:.1%} over the whole")
        found = {
            f"memory grew from {memory[0]:.0f} to {memory[-1]:.0f} MiB": memory[-1] > memory[0] + MAX_GROWTH_MIB,
            f"open files grew from {files[0]} to {files[-1]}": files[-1] > files[0],
            f"{disk[0]:,} bytes on the disk grew to {disk[-1]:,}": disk[-1] > 1.1 * disk[0],
            f"a {self.unit} takes {growth:.1%} longer": growth > max(MIN_GROWTH, SIGMAS * error),
        }
        return [problem for problem, is_there in found.items() if is_there]


def growth_of(times: list[float]) -> tuple[float, float]:
    """Return by which part times grew, by a line through them, and the standard error of that."""
    positions = np.linspace(0, 1, len(times))
    (slope, start), covariance = np.polyfit(positions, times, 1, cov=True)
    return float(slope / start), float(np.sqrt(covariance[0, 0]) / start)


def write_pictures(folder: Path, count: int, seed: int) -> list[Path]:
    """Write small pictures of noise."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path)
    return paths


def train(folder: Path, steps: int, seed: int) -> list[str]:
    """Train, with validation, diagnostics, samples and saves on the way; return what grew."""
    for number, name in enumerate(("a", "b", "held_a", "held_b")):
        write_pictures(folder / name, DATA, seed + number)
    pause = max(10, steps // SAMPLES)  # one of each in a sample
    config = build_config(
        SMALL,
        {
            "data": {"folder_a": str(folder / "a"), "folder_b": str(folder / "b")},
            "training": {"batch_size": 1, "seed": seed},
            "schedule": {"epochs": steps, "decay_epochs": 0, "max_steps": steps},
            "machine": {"device": "cpu", "threads": 1},
        },
        {"data": {"validate_a": str(folder / "held_a"), "validate_b": str(folder / "held_b")}},
        {"logging": dict.fromkeys(("every", "samples_every", "diagnose_every", "validate_every"), pause)},
        {"logging": {"save_minutes": 0.2}},
    )
    # Metrics and samples grow by design: they are the record of the run.
    state = folder / "run" / "state"
    record = Record("step", folder, lambda: bytes_in(state))
    distance = max(1, steps // SAMPLES)

    def on_step(_: object, info: cyclegan.training.StepInfo) -> None:
        if info.step % distance == 0:
            record.sample(info.step)

    cyclegan.train(config, folder / "run", callbacks=[on_step])
    return record.problems()


def translate(folder: Path, count: int, seed: int) -> list[str]:
    """Translate a folder; return what grew."""
    pictures = write_pictures(folder / "different", min(LINKED, count), seed)
    photos = folder / "photos"
    photos.mkdir()
    for number in range(count):
        os.link(random.Random(number).choice(pictures), photos / f"{number}.png")
    model = write_untrained_model(folder / "model.safetensors", build_config(SMALL))
    record, distance = Record("picture", folder, lambda: 0), max(1, count // SAMPLES)

    def on_progress(done: int, _: int) -> None:
        if done and done % distance == 0:
            record.sample(done)

    result = cyclegan.translate_folder(photos, model, output=folder / "out", device="cpu", on_progress=on_progress)
    problems = record.problems()
    if len(result.done) != count or len(list((folder / "out").iterdir())) != count:
        problems.append(f"{len(result.done):,} of {count:,} pictures were translated")
    return problems


def bytes_in(folder: Path) -> int:
    """Return the size of the files in a folder."""
    return sum(path.stat().st_size for path in folder.glob("*"))


def main() -> int:
    """Print what was measured; return 1 if something grew."""
    parser = argparse.ArgumentParser(description="Train for many steps and translate many pictures.")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    problems = []
    for work, count in ((train, options.steps), (translate, options.pictures)):
        if count:
            with tempfile.TemporaryDirectory() as folder:
                problems += work(Path(folder).resolve(), count, options.seed)
    for problem in problems:
        say(f"problem: {problem}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
