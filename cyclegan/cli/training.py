"""A training at the terminal: the options that the commands share, what is shown, and what is said at the end."""

import dataclasses
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclegan.cli.console import (
    ProgressStyle,
    complain,
    counting,
    duration,
    interruptible,
    progress_style,
    say,
    say_json,
    tell,
)
from cyclegan.cli.summary import summary
from cyclegan.config import Config, Settings
from cyclegan.errors import ConfigError, GameLostError, printable
from cyclegan.files import is_file_name

if TYPE_CHECKING:
    from cyclegan.cli.display import TrainingDisplay
    from cyclegan.runs import Run
    from cyclegan.training import Outcome, Plan

Checkpoints = Annotated[Path, typer.Option(help="Where runs are kept.")]
Epochs = Annotated[int | None, typer.Option(help="Epochs at the full learning rate.")]
DecayEpochs = Annotated[int | None, typer.Option(help="Epochs in which it then falls to zero.")]
MaxSteps = Annotated[int | None, typer.Option(help="End after so many steps in all.")]
BatchSize = Annotated[int | None, typer.Option(help="Pairs in a step, on each device.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any setting, as in loss.cycle_a=5.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Move an old run of this name aside and start again.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be trained, and stop.")]


def given(flags: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Return the settings that were given on the command line."""
    return {
        section: {key: value for key, value in values.items() if value is not None} for section, values in flags.items()
    }


def train_and_say(
    config: Config,
    checkpoints: Path,
    name: str,
    *,
    fresh: bool,
    dry_run: bool,
    progress: ProgressStyle,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train the run of this name, and print how that ended."""
    if not is_file_name(name):
        raise ConfigError(f"{printable(name)} cannot be a run's name.", "Choose one without slashes.")
    plan, outcome = run_training(
        config, checkpoints / name, fresh=fresh, dry_run=dry_run, progress=progress, quiet=quiet
    )
    if plan.ranks.first:
        report_training(plan, outcome, quiet=quiet, as_json=as_json)


def run_training(
    config: Config,
    folder: Path,
    *,
    fresh: bool = False,
    dry_run: bool = False,
    progress: ProgressStyle = "auto",
    quiet: bool = False,
) -> tuple["Plan", "Outcome | None"]:
    """Train in `folder` with everything shown that a person wants to see; no outcome after a dry run."""
    import logging

    from cyclegan.runs import Run, has_state, locked, set_aside
    from cyclegan.training import Ranks, check_continuation, continuation_notes, joined, on_devices

    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it announces itself
    run, config = Run(folder), on_devices(config)
    if config.machine.devices > 1 and not dry_run:
        start_if_alone(config.machine.devices)
    with ExitStack() as stack:
        ranks = Ranks(count=config.machine.devices) if dry_run else joined(config)
        quiet = quiet or not ranks.first
        interrupted = stack.enter_context(interruptible(quiet=not ranks.first))
        if not (fresh or dry_run):
            with ranks.together():
                if ranks.first:
                    check_continuation(config, run)
                    stack.enter_context(locked(run))
        with ranks.together():
            plan = replace(loaded(config, run, interrupted, fresh=fresh, progress=progress, quiet=quiet), ranks=ranks)
        if ranks.first:
            tell_of_pictures(plan, quiet=quiet)
        if dry_run:
            return plan, None
        tell(summary(plan), quiet=quiet)
        if fresh:
            with ranks.together():
                if ranks.first:
                    if aside := set_aside(run):
                        tell(f"The old run is now {printable(aside)}.", quiet=quiet)
                    stack.enter_context(locked(run))
        elif has_state(run):
            tell("\n".join(["It goes on where it stopped.", *continuation_notes(plan)]), quiet=quiet)
        observers = displays(plan, stack, progress, quiet=quiet)
        hear = partial(tell, quiet=quiet)
        return plan, train_and_report(plan, observers=observers, interrupted=interrupted, tell=hear)


def displays(plan: "Plan", stack: ExitStack, progress: ProgressStyle, *, quiet: bool) -> list["TrainingDisplay"]:
    """Return the display of a training, begun within `stack`; none where nothing is to be shown."""
    from cyclegan.cli.display import TrainingDisplay

    style = progress_style(progress)
    if quiet or style == "none":
        return []
    return [stack.enter_context(TrainingDisplay(plan, live=style == "bar"))]


def train_and_report(plan: "Plan", **options: Any) -> "Outcome":
    """Train, and write the report, also of a game that was lost."""
    from cyclegan.reports import write_report
    from cyclegan.training import train

    try:
        outcome = train(plan, **options)
    except GameLostError:
        write_report(plan.run)
        raise
    if plan.ranks.first:
        write_report(plan.run)
    return outcome


def loaded(
    config: Config,
    run: "Run",
    interrupted: Callable[[], bool],
    *,
    fresh: bool,
    progress: ProgressStyle,
    quiet: bool,
) -> "Plan":
    """Read the pictures, with a bar."""
    from cyclegan.data.folders import list_pictures
    from cyclegan.training import prepare

    data = config.data
    places = [place for place in (data.folder_a, data.folder_b, data.validate_a, data.validate_b) if place]
    count = sum(len(list_pictures(Path(place))) for place in places)
    with counting("Reading pictures", count, progress=progress, quiet=quiet) as advance:

        def on_picture() -> None:
            advance()
            if interrupted():
                raise KeyboardInterrupt

        scratch = run.folder.parent if run.folder.parent.is_dir() else Path(tempfile.gettempdir())
        return prepare(config, run, scratch=scratch, on_picture=on_picture, fresh=fresh)


def tell_of_pictures(plan: "Plan", *, quiet: bool) -> None:
    """Say which pictures cannot be read, and what is to be known of the others."""
    from cyclegan.data.overlap import overlap_notes

    for error in plan.domain_a.skipped + plan.domain_b.skipped:
        complain(error)
    for note in plan.domain_a.notes + plan.domain_b.notes + overlap_notes(plan.domain_a, plan.domain_b):
        tell(f"cyclegan: {note}", quiet=quiet)


def start_if_alone(devices: int) -> None:
    """Start a process for each device and end with what they end with, unless this is one of them already."""
    from cyclegan.training import started_processes
    from cyclegan.training.starting import start_processes

    if started_processes()[0] == 1:
        raise typer.Exit(start_processes(devices, sys.argv[1:]))


def report_training(plan: "Plan", outcome: "Outcome | None", *, quiet: bool, as_json: bool) -> None:
    """Print how a training ended; exit with 130 if it was interrupted."""
    if outcome is None:
        if as_json:
            say_json(
                {"run": str(plan.run.folder), "steps": plan.total_steps, "config": dataclasses.asdict(plan.config)}
            )
        elif not quiet:
            say(summary(plan))
        return
    from cyclegan.runs import find_model

    for note in outcome.notes:
        tell(f"cyclegan: {note}", quiet=quiet)
    if as_json:
        say_json(
            {
                "run": str(plan.run.folder),
                "model": str(find_model(plan.run.folder)),
                "step": outcome.step,
                "total_steps": outcome.total_steps,
                "finished": outcome.finished,
                "plateau": outcome.plateau > 0,
                "played": outcome.played,
                "seconds": round(outcome.seconds, 3),
            }
        )
    elif not quiet:
        say(ending(plan, outcome))
    if not outcome.finished:
        raise typer.Exit(130)


def ending(plan: "Plan", outcome: "Outcome") -> str:
    """Return one line on how a training ended."""
    folder = printable(plan.run.folder)
    if outcome.plateau:
        return (
            f"Ended on a plateau, no better since epoch {outcome.plateau}: see {folder}. "
            "Without --stop-on-plateau, the same command goes on."
        )
    if not outcome.finished:
        return f"Interrupted at step {outcome.step:,} of {outcome.total_steps:,}; saved. The same command continues."
    if not outcome.played:
        return (
            f"This run was finished already, at step {outcome.step:,}: see {folder}. "
            "Ask for more --epochs or --max-steps to go on, or for a --fresh one."
        )
    return f"Trained {outcome.played:,} steps in {duration(outcome.seconds)}: see {folder}."
