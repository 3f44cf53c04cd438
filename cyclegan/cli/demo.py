"""`cyclegan demo`."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from cyclegan.cli.console import Json, Progress, Quiet, duration, say, say_json, tell
from cyclegan.cli.training import print_result, run_training
from cyclegan.errors import printable


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="Half a minute, at a size that learns little.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="What all random choices follow from.")] = 0,
    datasets: Annotated[Path, typer.Option(help="Where the pictures are drawn.")] = Path("datasets"),
    checkpoints: Annotated[Path, typer.Option(help="Where the run is kept.")] = Path("checkpoints"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Move an old demo's run aside and start again.")] = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show the whole story: draw two small domains, train, translate, score against the truth, report."""
    from cyclegan.checkpoints.runs import Run
    from cyclegan.demo import FULL, QUICK, demo_config, draw_demo, score_demo
    from cyclegan.training import check_continuation

    started = time.monotonic()
    name, scale = ("demo-quick", QUICK) if quick else ("demo", FULL)
    folder, run = datasets / name, Run(checkpoints / name)
    config = demo_config(scale, folder, seed)
    if not fresh:
        check_continuation(config, run)
    tell(f"Drawing {scale.training} pictures of each domain in {printable(folder)}.", quiet=quiet)
    draw_demo(scale, folder, seed)
    result = run_training(config, run.folder, fresh=fresh, progress=progress, quiet=quiet)
    if not result.finished:
        print_result(result, quiet=quiet, as_json=as_json)
        return
    tell("Translating the held-out pictures and comparing them with the truth.", quiet=quiet)
    scores = score_demo(run, folder)
    if as_json:
        say_json(scores | {"report": str(run.report), "seconds": round(time.monotonic() - started, 1)})
    elif not quiet:
        say(verdict(scores, run, folder, time.monotonic() - started))


def verdict(scores: dict[str, Any], run: Any, folder: Path, seconds: float) -> str:
    """Return what the demo has shown, as lines for people."""
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
