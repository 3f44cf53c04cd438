"""Distil a run, and compare what comes of it with its teacher; run from the repository's root.

    python -m scripts.measure_distillation RUN TEST_A TEST_B --judge JUDGE.PY [--name NAME] [--minutes 25]
        [--turns 9] [-- OPTIONS OF cyclegan distill]

`cyclegan distill` is stopped after so many minutes, with its state saved: the same command goes on. Where its epochs
fit into them, a machine that starts bare needs no more than the run's `config.toml` and its model. At its end both
models redraw the test pictures of both domains, a script that compares two folders and prints JSON says what they are
worth, and the generators are compared in multiply-adds, bytes (`cyclegan export --half`) and seconds on one thread of
the CPU, in turns in one process.
"""

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model, load_model_info, save_model
from cyclegan.checkpoints.runs import find_model, find_run
from cyclegan.export import halved
from cyclegan.models import multiply_adds
from scripts.search_recipe import WAYS, asked, redraw


def distilled(run: str, name: str, minutes: float, options: list[str]) -> bool:
    """Distil a run for so long; tell whether it is finished."""
    process = subprocess.Popen([sys.executable, "-m", "cyclegan", "distill", run, "--name", name, *options])
    try:
        status = process.wait(minutes * 60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        status = process.wait()
    if status not in (0, 130):
        raise SystemExit(status)
    return status == 0


def judged(model: Path, tests: tuple[Path, Path], judge: Path, folder: Path) -> dict[str, float]:
    """Return what the judge says of a model's translations, both ways."""
    numbers = {}
    for way, source, real in zip(WAYS, tests, reversed(tests), strict=True):
        redraw(model, way, source, folder / way, load_model_info(model).size)
        numbers |= {f"{way} {name}": number for name, number in asked(judge, source, folder / way, real, way).items()}
    return numbers


def seconds_in_turns(models: list[Path], turns: int) -> list[float]:
    """Return the median times that one thread of the CPU takes to redraw an image of each model's size."""
    torch.set_num_threads(1)
    translators = [Translator(model, device="cpu") for model in models]
    images = [torch.zeros(1, new.channels[0], new.info.size, new.info.size) for new in translators]
    times: list[list[float]] = [[] for _ in models]
    for turn in range(turns + 1):
        for translate, image, taken in zip(translators, images, times, strict=True):
            started = time.process_time()  # on a busy machine, too, what the work takes
            translate(image)
            if turn:  # the first warms up
                taken.append(time.process_time() - started)
    return [statistics.median(taken) for taken in times]


def costs(model: Path, folder: Path) -> dict[str, float]:
    """Return with how many multiply-adds a model redraws an image of its size, and its size in half precision."""
    info, weights = load_model(model)
    save_model(folder / "half.safetensors", *halved(info, weights))
    work = multiply_adds(info.generator, info.channels("a2b"), info.size)
    return {"multiply-adds": work, "bytes in half precision": (folder / "half.safetensors").stat().st_size}


def main() -> None:
    """Distil, compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("test_a", type=Path)
    parser.add_argument("test_b", type=Path)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--name", help="of the new run; left out, RUN-small")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--turns", type=int, default=9)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given, options = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1 :]
    teacher = find_run(given.run)
    name = given.name or f"{teacher.name}-small"
    if not distilled(given.run, name, given.minutes, options):
        raise SystemExit("The time is over; the same command goes on.")
    models = [find_model(teacher.folder), find_model(find_run(name).folder)]
    rows = []
    for model, seconds in zip(models, seconds_in_turns(models, given.turns), strict=True):
        with tempfile.TemporaryDirectory() as place:
            verdict = judged(model, (given.test_a, given.test_b), given.judge, Path(place))
            rows.append(verdict | costs(model, Path(place)) | {"seconds": seconds})
    lines = ["| | teacher | student | ratio |", "| --- | --- | --- | --- |"]
    for what, theirs in rows[0].items():
        ours = rows[1][what]
        lines.append(f"| {what} | {theirs:,.5g} | {ours:,.5g} | {theirs / ours if ours else float('nan'):.3g} |")
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    main()
