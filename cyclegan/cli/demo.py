"""`cyclegan demo`."""

import time
from pathlib import Path
from typing import Annotated, Any

from cyclegan.cli import options
from cyclegan.cli.console import Console, Json, Progress, Quiet
from cyclegan.cli.run_training import print_train_result, run_training
from cyclegan.text import duration, printable

EXAMPLES = ("cyclegan demo --quick", "cyclegan demo")

Quick = Annotated[bool, options.option("Half a minute, at a size that learns little.", options.SCHEDULE, "--quick")]
DemoSeed = Annotated[int, options.option("Seed of all random choices.", options.SCHEDULE, default=0, min=0)]
Datasets = Annotated[Path, options.option("Folder for the drawn pictures.", options.DATA, default="datasets")]


def demo(
    quick: Quick = False,
    seed: DemoSeed = 0,
    datasets: Datasets = Path("datasets"),
    checkpoints: options.Checkpoints = Path("checkpoints"),
    fresh: options.Fresh = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw pictures, train on them, translate and write a report.

    The translations are compared with their true counterparts, which are known for drawn pictures.
    """
    from cyclegan.checkpoints.run import Run
    from cyclegan.demo import FULL, QUICK, demo_config, draw_demo, score_demo
    from cyclegan.training import check_continuation

    started, console = time.monotonic(), Console(progress, quiet, as_json)
    name, scale = ("demo-quick", QUICK) if quick else ("demo", FULL)
    folder, run = datasets / name, Run(checkpoints / name)
    config = demo_config(scale, folder, seed)
    if not fresh:
        check_continuation(config, run)
    console.tell(f"Drawing {scale.training} pictures of each domain in {printable(folder)}.")
    draw_demo(scale, folder, seed)
    result = run_training(config, run.folder, console, fresh=fresh)
    if not result.finished:
        print_train_result(result, console)
        return
    console.tell("Translating the held-out pictures and comparing them with their true counterparts.")
    scores = score_demo(run, folder)
    seconds = time.monotonic() - started
    facts = scores | {"report": str(run.report), "seconds": round(seconds, 1)}
    console.result(facts, demo_summary(scores, run, folder, seconds))


def demo_summary(scores: dict[str, Any], run: Any, folder: Path, seconds: float) -> str:
    """Return the result of the demo, as lines for people."""
    lines = [
        f"Mean difference to the true counterparts of {scores['pictures']} held-out pictures, in grey levels of 255:"
    ]
    lines += [
        f"  {way['from']} to {way['to']}: {way['error']:5.1f} translated, {way['unchanged']:5.1f} left unchanged "
        f"({way['ratio']:.0%})"
        for way in scores["directions"]
    ]
    lines += [
        f"Pictures: {printable(folder / 'translated')}",
        f"Report:   {printable(run.report)}",
        f"All of it took {duration(seconds)}.",
    ]
    return "\n".join(lines)
