"""Commands that write files, and what must be true of these files whatever happened to them."""

import hashlib
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image

from cyclegan.checkpoints.model_file import load_model, load_tensors
from cyclegan.checkpoints.records import held_out_files, read_metrics, sample_grids
from cyclegan.checkpoints.run import Run
from cyclegan.checkpoints.states import load_state, states
from cyclegan.errors import CycleganError
from scripts.reliability.disk import Tree
from scripts.reliability.program import finished_files, run_program

Summary = dict[str, str]  # by path, or by part of a run: a hash of its contents

TIMES = ("_seconds", "_per_second")
RESUMING = "Resuming from step "


@dataclass(frozen=True)
class Scenario:
    """A command that writes files in a folder; the same files each time."""

    arguments: tuple[str, ...]
    again: tuple[str, ...] | None = ()  # more arguments of the second time; None: once all is done it is an error
    before: Tree = field(default_factory=dict)  # what is in the folder before
    outputs: int = 0  # after so many files a command that never ends is interrupted

    def promise(self, live: Tree, *, ended: bool) -> int:  # noqa: ARG002
        """Return what must not be lost any more of the files that programs see; here 1 for all, once it has ended."""
        return int(ended)

    def summary(self, folder: Path) -> Summary:
        """Return what is under its final name."""
        return {path.relative_to(folder).as_posix(): hash_of(path) for path in finished_files(folder)}

    def check(self, folder: Path, expected: Summary, promise: int) -> list[str]:
        """Return what is wrong with the files in a folder, and with what the command makes of them when run again."""
        problems = self.damage(folder, expected, promise)
        if self.again is None and self.summary(folder) == expected:
            return problems
        ended = run_program((*self.arguments, *(self.again or ())), folder)
        if ended.failure:
            return [*problems, ended.failure]
        return [*problems, *self.lost_steps(ended.output, promise), *self.differences(folder, expected)]

    def differences(self, folder: Path, expected: Summary) -> list[str]:
        """Return what is not as a command leaves it that was never disturbed."""
        found = self.summary(folder)
        changed = [part for part in sorted(expected | found) if expected.get(part) != found.get(part)]
        return [f"{part} differs in the end" for part in changed]

    def damage(self, folder: Path, expected: Summary, promise: int) -> list[str]:
        """Return which files under their final names are neither the new nor the old ones, or are lost."""
        found = self.summary(folder)
        before = {path: sha256(content) for path, content in self.before.items() if content is not None}
        damaged = [path for path, content in found.items() if content not in (expected.get(path), before.get(path))]
        lost = [path for path, content in expected.items() if promise and found.get(path) != content]
        return [f"{path} is damaged" for path in damaged] + [f"{path} is lost" for path in lost]

    def lost_steps(self, output: str, promise: int) -> list[str]:  # noqa: ARG002
        """Return what was done again although it was saved; here nothing counts."""
        return []


@dataclass(frozen=True)
class Training(Scenario):
    """A training, which continues exactly from its newest state or from the one before."""

    run: str = "run"

    def promise(self, live: Tree, *, ended: bool) -> int:
        """Return the step from which the run must continue at least: that of the newest state but one."""
        steps = sorted(int(Path(path).stem[5:]) for path in live if Path(path).match("state/step-*.safetensors"))
        return [0, 0, *steps][-1 if ended else -2]

    def summary(self, folder: Path) -> Summary:
        """Return the contents of the run, without times."""
        run = Run(folder / "checkpoints" / self.run)
        tensors, facts, _ = load_state(run) or ({}, {}, [])
        metrics = [{key: value for key, value in line.items() if not key.endswith(TIMES)} for line in read_metrics(run)]
        parts: dict[str, object] = {"facts": facts, "metrics": metrics}
        models = [path for path in (run.model, run.best, run.teacher) if path.exists()]
        of_models = {f"{path.name} {name}": weight for path in models for name, weight in load_model(path)[1].items()}
        pictures = {path.name: path.read_bytes() for path in (*sample_grids(run), *held_out_files(run))}
        return (
            {part: sha256(json.dumps(content).encode()) for part, content in parts.items()}
            | {name: sha256(bytes_of(tensor)) for name, tensor in (tensors | of_models).items()}
            | {name: sha256(content) for name, content in pictures.items()}
        )

    def damage(self, folder: Path, expected: Summary, promise: int) -> list[str]:  # noqa: ARG002
        """Return which files under their final names cannot be read."""
        run = Run(folder / "checkpoints" / self.run)
        readers: dict[Path, Callable[[Path], object]] = dict.fromkeys(states(run), load_tensors)
        readers |= {path: load_model for path in (run.model, run.best, run.teacher) if path.exists()}
        readers |= dict.fromkeys((*sample_grids(run), *held_out_files(run)), read_record)
        damage = []
        for path, read in readers.items():
            try:
                read(path)
            except (CycleganError, OSError, ValueError) as error:
                damage.append(f"{path.name} is damaged: {error}")
        return damage

    def lost_steps(self, output: str, promise: int) -> list[str]:
        """Return whether too much was trained again."""
        step = int(output.partition(RESUMING)[2].partition(".")[0].replace(",", "") or 0)
        return [f"continued from step {step}, not {promise}"] if step < promise else []


def hash_of(path: Path) -> str:
    """Return a hash of a file; of an intact archive or model, whose bytes have times, names or vary, of its parts."""
    with suppress(zipfile.BadZipFile, zlib.error, CycleganError, RuntimeError, EOFError, pickle.UnpicklingError):
        if path.suffix == ".pth":
            tensors = torch.load(path, weights_only=True)
            return sha256(repr(sorted((name, sha256(bytes_of(tensor))) for name, tensor in tensors.items())).encode())
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return sha256(b"".join(name.encode() + archive.read(name) for name in sorted(archive.namelist())))
        if path.suffix == ".safetensors":
            tensors, metadata = load_tensors(path)
            weights = sorted((name, sha256(bytes_of(tensor))) for name, tensor in tensors.items())
            return sha256(repr((weights, sorted(metadata.items()))).encode())
    return sha256(path.read_bytes())


def read_record(path: Path) -> None:
    """Read a grid, or the numbers of held-out pictures."""
    if path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    else:
        with Image.open(path) as picture:
            picture.load()


def bytes_of(tensor: torch.Tensor) -> bytes:
    """Return the bytes of a tensor of any type."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def sha256(content: bytes) -> str:
    """Return a hash in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
