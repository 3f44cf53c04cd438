"""What a run leaves on disk, and how it is read back.

config.toml            every setting
model.safetensors      both generators, and the discriminators for scores; self-describing
best.safetensors       the best so far by validation, where there is validation
teacher.safetensors    the model that is imitated, where there is one: a copy
state/                 all that an exact continuation needs: the last two states, and the lock
metrics.jsonl          one line per logging interval
samples/               grids of real | fake | cycled
held_out/              what validation saw last: numbers of every held-out picture, and a grid of the best and worst
tensorboard/           metrics and sample grids again, where they are asked for
evaluation.json        scores against known answers, where there are any (the demo)
report.html
"""

import dataclasses
import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from cyclegan import __version__
from cyclegan.atomic import PARTIALS, remove_partials, write_text
from cyclegan.checkpoints.model_file import (
    FORMAT,
    ModelInfo,
    Tensors,
    load_model_info,
    load_tensors,
    save_tensors,
    to_import,
)
from cyclegan.config import Config, build_config, load_settings
from cyclegan.errors import DiskError, ModelFileError, RunError, disk_errors, printable

SHIPPED = Path(__file__).parents[1] / "shipped"
STATES_KEPT = 2
EXTREMES = 3  # held-out pictures of a domain that are kept as the best, and as the worst, by one number
SAMPLE_GAP = 4  # white pixels between the two halves of a sample grid


@dataclass(frozen=True)
class Run:
    """A run's folder and the places in it."""

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
        """The best model so far by validation."""
        return self.folder / "best.safetensors"

    @property
    def teacher(self) -> Path:
        """A copy of the model whose generators are imitated, where there is one."""
        return self.folder / "teacher.safetensors"

    @property
    def states(self) -> Path:
        """The folder of states."""
        return self.folder / "state"

    @property
    def holder(self) -> Path:
        """Which process trains, or was the last to."""
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
        """The folder of what became of held-out pictures, named after the step."""
        return self.folder / "held_out"

    @property
    def tensorboard(self) -> Path:
        """The folder that TensorBoard reads, where it is asked for."""
        return self.folder / "tensorboard"

    @property
    def evaluation(self) -> Path:
        """Scores against known answers."""
        return self.folder / "evaluation.json"

    @property
    def report(self) -> Path:
        """The report on this run."""
        return self.folder / "report.html"

    def load_config(self) -> Config:
        """Read the settings of this run."""
        return build_config(load_settings(self.config))


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Keep every other training out of this run's folder."""
    lock = FileLock(run.states / "lock", timeout=0)
    with disk_errors(run.folder):
        run.states.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another training is at work in {printable(run.folder)}: {_said_of_holder(run)}.",
                "Wait for it, or give this one another --name.",
            ) from error
        write_text(run.holder, f"process {os.getpid()} on {platform.node()}")
    try:
        for folder in (run.folder, run.states, run.samples, run.held_out):
            remove_partials(folder)
        yield
    finally:
        lock.release()


def _said_of_holder(run: Run) -> str:
    """Return which process said last that the run's folder is its own."""
    with suppress(OSError):
        return printable(run.holder.read_text(encoding="utf-8", errors="replace")[:200])
    return "a process that has only begun"


def require_there(run: Run) -> None:
    """See that a run in training was neither moved nor deleted: what is written next would bring half of it back."""
    if not run.config.is_file():
        raise DiskError(
            f"{printable(run.folder)} cannot be written: the run that was in it is gone.",
            "If it was moved, name its place with --checkpoints and --name; else the same command begins anew.",
        )


def set_aside(run: Run) -> Path | None:
    """Move an old run out of the way, never delete it; return where it went, or nothing if there was none."""
    if not run.folder.exists():
        return None
    with locked(run):
        pass  # nobody is at work in it
    names = (run.folder.with_name(f"{run.name}.{number}") for number in count(1))
    aside = next(place for place in names if not place.exists())
    with disk_errors(run.folder):
        run.folder.rename(aside)
    return aside


# ---- states


def save_state(run: Run, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write the state after `step` steps whole, then delete all but the newest two."""
    metadata = {"format": FORMAT, "version": __version__, "facts": json.dumps(facts)}
    save_tensors(run.states / f"step-{step:09}.safetensors", tensors, metadata)
    for old in states(run)[STATES_KEPT:]:
        with suppress(OSError):
            old.unlink()


def load_state(run: Run) -> tuple[Tensors, dict[str, Any], list[str]] | None:
    """Return the newest whole state's tensors and facts, and what had to be passed over; nothing if there is none."""
    passed_over: list[str] = []
    for path in states(run):
        try:
            tensors, metadata = load_tensors(path)
            if metadata.get("format") != FORMAT:
                raise RunError(
                    f"{printable(path)} was written by cyclegan {metadata.get('version', '(unknown)')}, "
                    f"which keeps its state otherwise than {__version__}.",
                    "Continue with that version, or start again with --fresh.",
                )
            facts = json.loads(metadata["facts"])
            if not (isinstance(facts, dict) and isinstance(facts.get("pictures"), list)):
                raise ModelFileError("its facts are not those of a state")
            return tensors, facts, passed_over
        except (ModelFileError, KeyError, ValueError, RecursionError):
            passed_over.append(f"{printable(path)} is damaged; the state before it is used.")
    if passed_over:
        raise RunError(f"no state in {printable(run.states)} is whole.", "Start again with --fresh.")
    return None


def has_state(run: Run) -> bool:
    """Tell whether there is anything to continue."""
    return bool(states(run))


def latest_step(run: Run) -> int:
    """Return after how many steps the newest state was saved; 0 where there is none."""
    return int(states(run)[0].stem.removeprefix("step-")) if has_state(run) else 0


def may_begin(run: Run) -> bool:
    """Tell whether nothing is in a run's folder but what one leaves that was killed before its first save."""
    own = {run.states, run.config, run.teacher}
    if run.config.is_file():
        own |= {run.metrics, run.samples, run.held_out, run.tensorboard, run.report}
    return all(place in own or place.match(PARTIALS) for place in run.folder.iterdir())


def states(run: Run) -> list[Path]:
    """Return the states, the newest first."""
    return sorted(run.states.glob("step-*.safetensors"), reverse=True)


# ---- models


def find_model(name: str | Path | None, checkpoints: Path = Path("checkpoints")) -> Path:
    """Return the model file that a name stands for.

    It is that of a run's folder, a model file, a run's name, or a model that comes with the package; without one, the
    newest run is meant.
    """
    if name is None:
        return _newest_model(checkpoints)
    places = [Path(name), checkpoints / name]
    for place in places:
        for model in (place, Run(place).best, Run(place).model):
            if model.is_file():
                return model
    for place in places:
        if any(place.glob("*.pth")):
            raise ModelFileError(f"{printable(place)} holds .pth files, and no model of cyclegan.", to_import(place))
    if any(place.is_dir() for place in places):
        raise ModelFileError(
            f"{printable(name)} holds no model yet.", "A run saves one every few minutes: wait, or train it first."
        )
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    raise ModelFileError(
        f"there is no model {printable(name)}.",
        f"Name a run's folder, a model file, a run's name, or what comes along: {', '.join(shipped)}.",
    )


def shipped_models() -> dict[str, Path]:
    """Return the models that come with the package, by name; beside each lies a card that tells what it is."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def trained_runs(checkpoints: Path) -> list[Run]:
    """Return the runs that hold a model, the newest first."""
    models = sorted(checkpoints.glob("*/model.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [Run(model.parent) for model in models]


def model_name(path: Path) -> str:
    """Return the name of a model file: its run's, or its own."""
    return path.parent.name if path.stem in ("model", "best") else path.stem


def _newest_model(checkpoints: Path) -> Path:
    runs = trained_runs(checkpoints)
    if not runs:
        raise ModelFileError(
            f"there is no trained model under {printable(checkpoints)}.",
            f"Train one with `cyclegan train A B`, or name one with --model, such as {', '.join(shipped_models())}.",
        )
    return find_model(runs[0].folder)


def unaveraged_model(run: Run) -> tuple[ModelInfo, Tensors]:
    """Return the networks of the newest state as they were at its last step."""
    info = load_model_info(run.model)
    state = load_state(run)
    if state is None:
        raise RunError(f"{printable(run.folder)} holds no state.", "Train it first.")
    tensors, facts, _ = state
    weights = {name.removeprefix("network."): tensor for name, tensor in tensors.items() if name.startswith("network.")}
    return dataclasses.replace(info, steps=facts["step"], averaged=False), weights


def find_run(name: str | Path, checkpoints: Path = Path("checkpoints")) -> Run:
    """Return the run that a folder or a name stands for."""
    for place in (Path(name), checkpoints / name):
        if (place / "config.toml").is_file():
            return Run(place)
    raise RunError(f"there is no run {printable(name)}.", "Name a run's folder, or its name under checkpoints/.")


# ---- metrics and evaluation


def append_metrics(run: Run, line: Mapping[str, Any]) -> None:
    """Add one line to the metrics."""
    with disk_errors(run.metrics), run.metrics.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())  # a state that is saved later never knows more than the metrics


def read_metrics(run: Run) -> list[dict[str, Any]]:
    """Return the metrics; lines that a kill or a full disk has cut are left out."""
    lines = []
    if run.metrics.exists():
        for text in run.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict) and isinstance(line.get("step"), int):
                lines.append(line)
    return lines


def forget_after(run: Run, step: int) -> None:
    """Take back what was written of steps that a continued run will play again: metrics, samples, held-out pictures."""
    if run.metrics.exists():
        kept = [json.dumps(line) + "\n" for line in read_metrics(run) if line["step"] <= step]
        write_text(run.metrics, "".join(kept))
    for picture in [*sample_grids(run), *held_out_files(run)]:
        if int(picture.stem) > step:
            picture.unlink(missing_ok=True)


def save_evaluation(run: Run, scores: Mapping[str, Any]) -> None:
    """Write the scores against known answers."""
    write_text(run.evaluation, json.dumps(scores, indent=2) + "\n")


def read_evaluation(run: Run) -> dict[str, Any]:
    """Return the scores against known answers; nothing if there are none, or if they are damaged."""
    try:
        scores = json.loads(run.evaluation.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return scores if isinstance(scores, dict) else {}


def sample_grids(run: Run) -> list[Path]:
    """Return the sample grids in the order of their steps."""
    return numbered(run.samples, ".png")


def held_out_files(run: Run) -> list[Path]:
    """Return the numbers of held-out pictures and the grids of some of them, in the order of their steps."""
    return numbered(run.held_out, ".json", ".png")


def forget_held_out_before_newest(run: Run) -> None:
    """Delete what later validations have replaced, once a state is saved that knows of them."""
    files = held_out_files(run)
    for path in files:
        if int(path.stem) < int(files[-1].stem):
            path.unlink(missing_ok=True)


def numbered(folder: Path, *suffixes: str) -> list[Path]:
    """Return the files of a folder that are named after a step, in the order of their steps."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in files if path.suffix in suffixes and path.stem.isdecimal() and path.is_file())


def read_held_out(run: Run) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Return the step of the newest numbers of held-out pictures, and these by the domain; none if there are none."""
    for path in reversed(numbered(run.held_out, ".json")):
        with suppress(OSError, ValueError, RecursionError):
            return int(path.stem), json.loads(path.read_text(encoding="utf-8"))
    return 0, {}
