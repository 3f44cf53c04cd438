"""Measure training and translation on a GPU; five minutes. Run from the repository's root.

    python -m scripts.gpu.benchmark [--toy] [--out FOLDER]

Most wanted first. Our step and the authors', written plainly, are measured in turns in one process; the floor is the
counted work of a step at the rate of a large bf16 matrix product measured there. What the figures decide stands in
docs/experiments.md.
"""

import time
from functools import partial
from pathlib import Path

from scripts.gpu.processes import Processes, processes_for, work_folder
from scripts.gpu.report import Figures, Report, arguments
from scripts.gpu.sizes import REAL, TOY, Sizes, draw_folder
from scripts.gpu.variants import COMPILED, EAGER

MINUTES = 5
Given = tuple[object, ...]
BATCHES = (1, 16, 4)  # the most wanted first


class Benchmark:
    """The measurements, each in a process of its own."""

    def __init__(self, processes: Processes, folder: Path, out: Path, sizes: Sizes) -> None:
        self.processes, self.folder, self.out, self.sizes = processes, folder, out, sizes

    def prepare(self, timeout: float, batch: int) -> Figures:
        """Fill the compiler's cache, which takes the longest and may be done for all batches at once."""
        return self.measured(timeout, f"prepare {batch}", "compare_with_plain", (batch, 0))

    def training(self, timeout: float, batch: int) -> Figures:
        """Measure our step and the authors' at one batch size, and save a profile."""
        profile = str(self.out / f"profile-{batch}.txt") if batch in BATCHES[:2] else ""
        turns = max(2, self.sizes.turns // batch)
        return self.measured(timeout, f"batch {batch}", "compare_with_plain", (batch, turns, profile))

    def measured(self, timeout: float, name: str, function: str, given: tuple[object, ...] = ()) -> Figures:
        """Call a function of `steps` at these sizes."""
        figures: Figures = self.processes.start(name, f"scripts.gpu.steps:{function}", self.sizes, *given).wait(timeout)
        return figures

    def translation(self, timeout: float) -> Figures:
        """Measure images/s of a folder, decoding and writing included.

        The command runs on two folders, and the start is what both take, so that it is not counted.
        """
        deadline, model = time.monotonic() + timeout, self.folder / "run"
        counts, took = (self.sizes.pictures // 4, self.sizes.pictures), []
        for count in counts:
            source = draw_folder(self.folder / f"pictures {count}", count, self.sizes.side, self.sizes.side)
            options = ("--model", model, "--output", self.folder / f"translated {count}", "--json", "--batch-size", 16)
            started = time.monotonic()
            self.processes.cyclegan(f"translate {count}", "translate", source, *options).wait(
                deadline - time.monotonic()
            )
            took.append(time.monotonic() - started)
        images_per_second = (counts[1] - counts[0]) / max(took[1] - took[0], 1e-3)
        return {"images/s, files": round(images_per_second, 1), "start": f"{took[0]:.1f} s for {counts[0]}"}

    def model(self, timeout: float) -> Figures:
        """Train for two steps, to have a model of the default networks."""
        domains = [draw_folder(self.folder / name, 2, self.sizes.side, self.sizes.side) for name in ("a", "b")]
        options = ["--checkpoints", self.folder, "--name", "run", "--max-steps", 2, "--compile", "off", "--json"]
        self.processes.cyclegan("model", "train", *domains, *options, *self.sizes.flags).wait(timeout)
        return {}


def main() -> None:
    """Measure everything and write the table."""
    asked = arguments(__doc__, MINUTES).parse_args()
    sizes = TOY if asked.toy else REAL
    report = Report("benchmark", asked)
    with work_folder() as name:
        folder = Path(name)
        processes = processes_for(folder / "logs")
        benchmark = Benchmark(processes, folder, asked.out.resolve(), sizes)
        report.check("ceilings", lambda t: benchmark.measured(t, "ceilings", "ceilings"), at_most=40)
        preparations = [(f"compile for batch {batch}", partial(benchmark.prepare, batch=batch)) for batch in BATCHES]
        report.together([*preparations, ("a model to translate with", benchmark.model)], workers=4, at_most=130)
        for batch in BATCHES[:2]:
            report.check(f"a step at batch {batch}", partial(benchmark.training, batch=batch), at_most=60)
        report.check("a folder", benchmark.translation, at_most=50)
        report.check(
            "the network on images in memory, batch 16",
            lambda t: benchmark.measured(t, "network", "network_speed", (str(folder / "run"), 16)),
            at_most=30,
        )
        for what, names in (("one ingredient more at a time", EAGER), ("compiled or not", COMPILED)):
            variants = partial(benchmark.measured, name=what, function="compare_variants", given=(names,))
            report.check(f"the authors' step, {what}", variants, at_most=70)
        report.check(f"a step at batch {BATCHES[2]}", partial(benchmark.training, batch=BATCHES[2]), at_most=60)
        processes.keep_logs(asked.out)
    raise SystemExit(report.write())


if __name__ == "__main__":
    main()
