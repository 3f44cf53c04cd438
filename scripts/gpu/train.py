"""Train on horse2zebra for nine minutes, and again to continue. Run from the repository's root.

    python -m scripts.gpu.train [--decay] [--toy] [--data FOLDER] [--out FOLDER] [-- OPTION…]

The first call begins a run, from the model that `pack --begin-with` brought along, if there is one; a call on a machine
that still holds the run continues it. With --decay the learning rate falls to zero in the time of this call, by the
speed of those before. Everything after `--` goes to `cyclegan train`. When the time is over, the training is stopped
and saved, the test pictures are translated both ways, and all of it is packed into pieces that may come back.
"""

import shutil
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image

from scripts.gpu.pieces import PIECE, split
from scripts.gpu.processes import ROOT, Processes, processes_for, wait_until
from scripts.gpu.report import Figures, Report, arguments
from scripts.gpu.runs import last_step, metrics, speed
from scripts.gpu.sizes import TOY, draw_folder

MINUTES = 9
RESERVED = 75  # seconds for saving, translating and packing
START = 45  # seconds until the first step of a continued training: pictures read, compiled from the cache
CONVERT = "scripts.gpu.weights:convert"
INTERRUPTED = 130  # exit status of a training that was stopped and saved
MOST_FILES, MOST_BYTES = 8, 64 * 2**20  # that come back
# The best recipe known: the default. Others are tried in docs/experiments.md, none at this size yet.
RECIPE = ["--set", "data.size=256", "--set", "logging.samples_every=5000", "--set", "logging.save_minutes=3"]
DIRECTIONS = {"a2b": ("testA", "horses as zebras"), "b2a": ("testB", "zebras as horses")}


@dataclass
class Training:
    """A run, its pictures, and the clock."""

    processes: Processes
    report: Report
    data: Path
    checkpoints: Path
    options: list[str]  # of `cyclegan train`
    toy_steps: int = 0  # a dry run stops after so many

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.checkpoints / "gpu"

    def schedule(self, *, decay: bool) -> list[str]:
        """Return how long to train at the full learning rate, and how long at a falling one."""
        if not decay:
            return ["--epochs", "100000", "--decay-epochs", "0"]
        lines = metrics(self.run)
        if len(lines) < 2:
            raise ValueError("there is no run whose learning rate could fall: call without --decay first")
        epoch = max(len(list((self.data / f"train{side}").iterdir())) for side in "AB")
        samples_per_step = batch_size(self.options)
        steps_per_epoch = -(-epoch // samples_per_step)
        steps = 0.95 * speed(lines) * (self.report.left() - RESERVED - START)
        epochs = -(-lines[-1]["step"] // steps_per_epoch)
        return ["--epochs", str(epochs), "--decay-epochs", str(max(1, round(steps / steps_per_epoch)))]

    def train(self, timeout: float, *, decay: bool) -> Figures:
        """Train until the time is over or the schedule ends."""
        deadline = time.monotonic() + timeout
        before = last_step(self.run)
        folders = [self.data / "trainA", self.data / "trainB"]
        where = ["--checkpoints", self.checkpoints, "--name", "gpu", "--json"]
        running = self.processes.cyclegan(
            "train", "train", *folders, *where, *RECIPE, *self.begin_with(), *self.options, *self.schedule(decay=decay)
        )
        if self.toy_steps:
            enough = before + self.toy_steps
            wait_until(lambda: last_step(self.run) >= enough, running, deadline)
        else:
            running.process.join(timeout)
        if running.process.is_alive():
            running.interrupt()
        running.wait(self.report.time_factor * RESERVED / 2, allowed=(0, INTERRUPTED))
        steps = last_step(self.run)
        return {"steps": steps, "of this call": steps - before, "steps/s": speed(metrics(self.run))}

    def begin_with(self) -> list[str]:
        """Return the option that begins with the model that was brought along, where there is one.

        A run that is continued must be told the same again.
        """
        brought, whole = self.data.parent / "begin.safetensors", self.checkpoints / "begin.safetensors"
        if brought.exists() and not self.run.exists():
            self.processes.start("begin", CONVERT, brought, whole, "dequantized").wait(60)
        return ["--init-from", str(whole)] if whole.exists() else []

    def translate(self, timeout: float, direction: str) -> Figures:
        """Translate the test pictures in one direction."""
        folder, _ = DIRECTIONS[direction]
        output = self.checkpoints / "translated" / direction
        shutil.rmtree(output, ignore_errors=True)
        options = ("--model", self.run, "--direction", direction, "--output", output, "--json")
        started = time.monotonic()
        packed = ("--batch-size", 8, "--format", "webp", "--quality", 88)
        told = self.processes.cyclegan(f"translate {direction}", "translate", self.data / folder, *options, *packed)
        return {"written": len(told.wait(timeout)["written"]), "in": f"{time.monotonic() - started:.1f} s"}

    def draw_sheets(self, timeout: float) -> Figures:  # noqa: ARG002
        """Draw twelve pictures of each test folder above their translations."""
        for direction, (folder, _) in DIRECTIONS.items():
            outputs = sorted((self.checkpoints / "translated" / direction).iterdir())
            outputs = outputs[:: max(1, len(outputs) // 12)][:12]
            sources = {path.stem: path for path in (self.data / folder).iterdir()}
            draw_sheet(self.checkpoints / f"{direction}.jpg", [sources[path.stem] for path in outputs], outputs)
        return {}

    def pack(self, timeout: float) -> Figures:
        """Write the pieces: the model in half precision, then everything else in one archive."""
        model = self.checkpoints / "model.safetensors"
        self.processes.start("halve", CONVERT, self.run / "model.safetensors", model, "halved").wait(timeout)
        rest = self.checkpoints / "rest.zip"
        with zipfile.ZipFile(rest, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("config.toml", "metrics.jsonl"):
                archive.write(self.run / name, name)
            for path in sorted((self.checkpoints / "translated").rglob("*.webp")):
                archive.write(path, path.relative_to(self.checkpoints))
            for direction in DIRECTIONS:
                archive.write(self.checkpoints / f"{direction}.jpg", f"{direction}.jpg")
        pieces = split(model, self.report.out) + split(rest, self.report.out)
        files, size = len(pieces) + 3, sum(piece.stat().st_size for piece in pieces)
        if files > MOST_FILES or size > MOST_BYTES - 2**16:
            raise ValueError(f"{files} files of {size / 2**20:.1f} MiB are more than may come back")
        return {"pieces": len(pieces), "MiB": round(size / 2**20, 2), "largest": f"{PIECE / 2**20:.0f} MiB at most"}


def batch_size(options: Sequence[str]) -> int:
    """Return the samples of a step that the options of a training ask for."""
    asked = [value for flag, value in pairwise(options) if flag == "--batch-size"]
    return int(asked[-1]) if asked else 1


def draw_sheet(path: Path, sources: Sequence[Path], outputs: Sequence[Path], side: int = 192) -> None:
    """Write pictures in rows of six, each above its translation."""
    columns = 6
    rows = -(-len(outputs) // columns)
    sheet = Image.new("RGB", (columns * side, 2 * rows * side), "white")
    for number, pair in enumerate(zip(sources, outputs, strict=True)):
        row, column = divmod(number, columns)
        for below, file in enumerate(pair):
            with Image.open(file) as picture:
                small = picture.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * side, (2 * row + below) * side))
    sheet.save(path, quality=88)


def draw_data(folder: Path) -> Path:
    """Draw a tiny data set for a dry run."""
    for number, name in enumerate(("trainA", "trainB", "testA", "testB")):
        if not (folder / name).exists():
            draw_folder(folder / name, 3 + number % 2, TOY.side + 8, TOY.side + 8)
    return folder


def main() -> None:
    """Train, translate, pack, and write the table."""
    parser = arguments(__doc__, MINUTES)
    parser.add_argument("--decay", action="store_true", help="let the learning rate fall to zero in this call")
    parser.add_argument("--data", type=Path, help="folder that holds trainA, trainB, testA and testB [.gpu/data]")
    parser.add_argument("--checkpoints", type=Path, help="folder of the run [checkpoints/gpu, or gpu-toy]")
    parser.add_argument("options", nargs="*", help="of cyclegan train, after --")
    asked = parser.parse_args()
    report = Report("train", asked)
    checkpoints = asked.checkpoints or ROOT / "checkpoints" / ("gpu-toy" if asked.toy else "gpu")
    data = asked.data or (checkpoints / "data" if asked.toy else ROOT / ".gpu" / "data")
    checkpoints.mkdir(parents=True, exist_ok=True)
    options = [*asked.options]
    if asked.toy:
        draw_data(data)
        options += [*TOY.flags, "--set", "logging.every=1"]
    processes = processes_for(checkpoints / "logs")
    training = Training(processes, report, data, checkpoints, options, TOY.steps if asked.toy else 0)
    most = max(1.0, report.left() - RESERVED)
    report.check("train", lambda t: training.train(t, decay=asked.decay), at_most=most)
    for direction, (_, what) in DIRECTIONS.items():
        report.check(f"translate {what}", lambda t, way=direction: training.translate(t, way), at_most=40)  # type: ignore[misc]
    report.check("sheets", training.draw_sheets)
    report.check("pieces", training.pack)
    processes.keep_logs(asked.out)
    raise SystemExit(report.write())


if __name__ == "__main__":
    main()
