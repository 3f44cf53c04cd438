"""Training on the command line: progress, messages, and the line at the end."""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cyclegan.atomic import is_file_name
from cyclegan.cli.console import Console, complain, interruptible, progress_style, share_stderr
from cyclegan.cli.hours import MEASURING, plan_run
from cyclegan.cli.summary import train_summary
from cyclegan.config import Config
from cyclegan.errors import UsageError
from cyclegan.text import counted, duration, printable

if TYPE_CHECKING:
    from cyclegan.training import TrainInputs, TrainResult


def train_and_print(
    config: Config,
    checkpoints: Path,
    name: str,
    console: Console,
    *,
    fresh: bool,
    dry_run: bool,
    started: float | None = None,
) -> None:
    """Train the run of this name, and print how that ended; exit with 130 if it was interrupted.

    `schedule.hours` count from `started`, in seconds of `time.perf_counter`; by default from now.
    """
    if not is_file_name(name):
        raise UsageError(f"{printable(name)} cannot be a run's name.", "Choose one without slashes.")
    if dry_run:
        print_dry_run(config, checkpoints / name, console, fresh=fresh)
    else:
        result = run_training(config, checkpoints / name, console, fresh=fresh, started=started)
        print_train_result(result, console)


def print_dry_run(config: Config, folder: Path, console: Console, *, fresh: bool) -> None:
    """Print the summary of a training, and train nothing."""
    from cyclegan.checkpoints.run import Run
    from cyclegan.training import Ranks, load_inputs, with_device_count

    config = with_device_count(config)
    with (
        interruptible(quiet=True) as interrupted,
        reading_pictures(config, interrupted, console) as on_picture,
    ):
        loaded = load_inputs(config, Run(folder), on_picture=on_picture, fresh=fresh)
    inputs = replace(loaded, ranks=Ranks(count=config.machine.devices))
    print_notes(inputs, console)
    facts = {"run": str(folder), "steps": inputs.total_steps, "config": dataclasses.asdict(config)}
    console.result(facts, train_summary(inputs))


def run_training(
    config: Config, folder: Path, console: Console, *, fresh: bool, started: float | None = None
) -> "TrainResult":
    """Train in `folder` and show the progress."""
    from cyclegan.checkpoints.states import has_state
    from cyclegan.cli.display import TrainingDisplay
    from cyclegan.training import Stopwatch, join_ranks, train_run, with_device_count

    stopwatch = Stopwatch(started=started)
    config = with_device_count(config)
    if config.machine.devices > 1:
        start_processes_once(config.machine.devices)
    ranks = join_ranks(config)
    console = replace(console, quiet=console.quiet or not ranks.is_first)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interruptible(quiet=console.quiet))
        reading = stack.enter_context(ExitStack())
        on_picture = reading.enter_context(reading_pictures(config, interrupted, console))

        def on_inputs(inputs: "TrainInputs") -> None:
            reading.close()
            if ranks.is_first:
                print_notes(inputs, console)
            console.tell(train_summary(inputs))
            if ranks.count == 1 and (fresh or not has_state(inputs.run)) and not (console.quiet and not inputs.plan):
                with console.tell_if_slow(MEASURING):
                    plan = plan_run(inputs)
                console.tell(plan)

        style = "none" if console.quiet else progress_style(console.progress)
        callbacks = [stack.enter_context(TrainingDisplay(live=style == "bar"))] if style != "none" else []
        return train_run(
            config,
            folder,
            fresh=fresh,
            callbacks=callbacks,
            interrupted=interrupted,
            log=console.tell,
            on_picture=on_picture,
            on_inputs=on_inputs,
            ranks=ranks,
            stopwatch=stopwatch,
        )


@contextmanager
def reading_pictures(config: Config, interrupted: Callable[[], bool], console: Console) -> Iterator[Callable[[], None]]:
    """Show a bar of the pictures that are read; yield a function to call after each."""
    with console.counting("Reading pictures", total_pictures(config)) as advance:

        def on_picture() -> None:
            advance()
            if interrupted():
                raise KeyboardInterrupt

        yield on_picture


def total_pictures(config: Config) -> int:
    """Return the number of pictures to read."""
    from cyclegan.data.folders import list_pictures

    data = config.data
    folders = [folder for folder in (data.folder_a, data.folder_b, data.validate_a, data.validate_b) if folder]
    return sum(len(list_pictures(Path(folder))) for folder in folders)


def print_notes(inputs: "TrainInputs", console: Console) -> None:
    """Print which pictures cannot be read, and notes on the others."""
    from cyclegan.data.overlap import overlap_warnings

    for error in inputs.domain_a.skipped + inputs.domain_b.skipped:
        complain(error)
    for note in inputs.domain_a.notes + inputs.domain_b.notes + overlap_warnings(inputs.domain_a, inputs.domain_b):
        console.note(note)


def start_processes_once(devices: int) -> None:
    """Start a process for each device and exit with their status, unless this is one of them."""
    from cyclegan.training import started_processes
    from cyclegan.training.launch import end_with_launcher, start_processes

    if started_processes()[0] == 1:
        share_stderr()
        raise typer.Exit(start_processes(devices, sys.argv[1:]))
    end_with_launcher()


def print_train_result(result: "TrainResult", console: Console) -> None:
    """Print how a training ended, on the first rank; exit with 130 if it was interrupted."""
    from cyclegan.checkpoints.find import find_model

    if not result.ranks.is_first:
        return
    for note in result.notes:
        console.note(note)
    facts = {
        "run": str(result.run.folder),
        "model": str(find_model(result.run.folder)),
        "best_steps": result.best_steps,
        "step": result.step,
        "total_steps": result.total_steps,
        "finished": result.finished,
        "plateau": result.plateau_epoch > 0,
        "steps_done": result.steps_done,
        "seconds": round(result.seconds, 3),
    }
    console.result(facts, ending(result))
    if not result.finished:
        raise typer.Exit(130)


def ending(result: "TrainResult") -> str:
    """Return one line on how a training ended."""
    folder = printable(result.run.folder)
    if result.plateau_epoch:
        return (
            f"Ended on a plateau, no better since epoch {result.plateau_epoch} in either direction: see {folder}. "
            "Without --stop-on-plateau, the same command continues."
        )
    if not result.finished:
        return f"Interrupted at step {result.step:,} of {result.total_steps:,}; saved. The same command continues."
    if not result.steps_done:
        return (
            f"This run was finished already, at step {result.step:,}: see {folder}. "
            "Ask for more --epochs, --max-steps or --hours to continue it, or use --fresh to start again."
        )
    return f"Trained {counted(result.steps_done, 'step')} in {duration(result.seconds)}: see {folder}."
