"""`cyclegan train`."""

import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyclegan.cli.console import (
    Json,
    Quiet,
    complain,
    counting,
    duration,
    interruptible,
    say,
    say_json,
    table,
    tell,
)
from cyclegan.cli.datasets import data_set_at, without_folders
from cyclegan.config import PRESETS, Config, Settings, build_config, load_settings, parse_assignment, preset
from cyclegan.errors import ConfigError, GameLostError, printable
from cyclegan.files import is_file_name

if TYPE_CHECKING:
    from cyclegan.runs import Run
    from cyclegan.training import Outcome, Plan

PRESETS_IN_WORDS = "; ".join(f"{name} ({known.purpose})" for name, known in PRESETS.items())


def train(
    a: Annotated[
        Path | None,
        typer.Argument(
            metavar="A",
            help="Folder of pictures of one kind; alone, a downloaded data set, or a folder with trainA and trainB.",
        ),
    ] = None,
    b: Annotated[Path | None, typer.Argument(metavar="B", help="Folder of pictures of the other kind.")] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The run's name.  [default: <A>2<B>, or the data set's name]", show_default=False),
    ] = None,
    checkpoints: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("checkpoints"),
    preset_name: Annotated[
        str, typer.Option("--preset", help=f"Settings to start from: {PRESETS_IN_WORDS}.")
    ] = "default",
    size: Annotated[int | None, typer.Option(help="Pixels, side of the training images.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs at the full learning rate.")] = None,
    decay_epochs: Annotated[int | None, typer.Option(help="Epochs in which it then falls to zero.")] = None,
    max_steps: Annotated[int | None, typer.Option(help="End after so many steps in all.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pairs in a step, on each device.")] = None,
    seed: Annotated[int | None, typer.Option(help="What all random choices follow from.")] = None,
    init_from: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Begin with the weights of this run or model file.")
    ] = None,
    validate: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION",
            help="Hold out so much of both folders, and keep the best model; 0: not even a data set's test pictures.",
        ),
    ] = None,
    validate_a: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Pictures of A's kind to validate with instead.")
    ] = None,
    validate_b: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Pictures of B's kind, likewise.")] = None,
    stop_on_plateau: Annotated[
        bool, typer.Option("--stop-on-plateau", help="End when validation finds nothing better any more.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = None,
    devices: Annotated[int | None, typer.Option(help="How many, each with pairs of its own in every step.")] = None,
    scale: Annotated[
        Literal["none", "sqrt", "linear"] | None,
        typer.Option("--scale-lr", help="How the learning rate grows with the number of devices."),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None, typer.Option(help="Of the networks' arithmetic.")
    ] = None,
    compile_networks: Annotated[
        Literal["auto", "on", "off"] | None,
        typer.Option("--compile", help="The networks; auto: where it is worth the minutes it takes."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that prepare images.")] = None,
    config_file: Annotated[Path | None, typer.Option("--config", help="Settings, such as a run's config.toml.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any setting, as in loss.cycle_a=5.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Move an old run of this name aside and start again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be trained, and stop.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train on two folders of pictures, or on a data set; the same command again continues where it stopped."""
    data_set = data_set_at(a) if a is not None and b is None else None
    flags: dict[str, dict[str, Any]] = {
        "data": {
            "size": size,
            "validate": validate,
            "validate_a": validate_a and os.path.realpath(validate_a),
            "validate_b": validate_b and os.path.realpath(validate_b),
            **(data_set.settings if data_set else folders_and_names(a, b)),
        },
        "schedule": {
            "epochs": epochs,
            "decay_epochs": decay_epochs,
            "max_steps": max_steps,
            "stop_on_plateau": stop_on_plateau or None,
        },
        "game": {"batch_size": batch_size, "seed": seed, "precision": precision, "init_from": init_from},
        "optimizer": {"scale": scale},
        "machine": {"device": device, "devices": devices, "workers": workers, "compile": compile_networks},
    }
    given: Settings = {
        section: {key: value for key, value in values.items() if value is not None} for section, values in flags.items()
    }
    layers = [
        preset(preset_name),
        load_settings(config_file) if config_file else {},
        given,
        *map(parse_assignment, assignments or []),
    ]
    if data_set and not asked_how_to_validate(layers):
        layers.append({"data": data_set.held_out})
    config = build_config(*layers)
    if not (config.data.folder_a and config.data.folder_b):
        raise without_folders(a)
    name = name or (data_set.name if data_set else f"{config.data.name_a}2{config.data.name_b}")
    if not is_file_name(name):
        raise ConfigError(f"{printable(name)} cannot be a run's name.", "Choose one without slashes.")
    plan, outcome = run_training(config, checkpoints / name, fresh=fresh, dry_run=dry_run, quiet=quiet)
    if plan.ranks.first:
        report_training(plan, outcome, quiet=quiet, as_json=as_json)


def asked_how_to_validate(layers: list[Settings]) -> bool:
    """Tell whether any of the settings speaks of validation."""
    sections = [section for layer in layers if isinstance(section := layer.get("data"), dict)]
    return any(key.startswith("validate") for section in sections for key in section)


def folders_and_names(a: Path | None, b: Path | None) -> dict[str, str]:
    """Return the settings that two folders on the command line stand for; domains are named after them."""
    given = {side: Path(os.path.realpath(path)) for side, path in (("a", a), ("b", b)) if path is not None}
    if len(set(given.values())) < len(given):
        raise ConfigError("both folders are the same.", "Name one folder for each kind of picture.")
    names = {side: path.name for side, path in given.items()}
    if len(set(names.values())) < len(names):
        names = {side: f"{path.parent.name}_{path.name}_{side}" for side, path in given.items()}
    return {f"folder_{side}": str(path) for side, path in given.items()} | {
        f"name_{side}": names[side] for side in given
    }


def run_training(
    config: Config, folder: Path, *, fresh: bool = False, dry_run: bool = False, quiet: bool = False
) -> tuple["Plan", "Outcome | None"]:
    """Train in `folder` with everything shown that a person wants to see; no outcome after a dry run."""
    import logging

    from cyclegan.cli.display import TrainingDisplay
    from cyclegan.runs import Run, locked, set_aside
    from cyclegan.training import Ranks, check_continuation, joined, on_devices

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
            plan = replace(loaded(config, run, interrupted, fresh=fresh, quiet=quiet), ranks=ranks)
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
        observers = [] if quiet else [stack.enter_context(TrainingDisplay(plan, live=sys.stderr.isatty()))]
        hear = partial(tell, quiet=quiet)
        return plan, train_and_report(plan, observers=observers, interrupted=interrupted, tell=hear)


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


def loaded(config: Config, run: "Run", interrupted: Callable[[], bool], *, fresh: bool, quiet: bool) -> "Plan":
    """Read the pictures, with a bar."""
    from cyclegan.data.folders import list_pictures
    from cyclegan.training import prepare

    data = config.data
    places = [place for place in (data.folder_a, data.folder_b, data.validate_a, data.validate_b) if place]
    count = sum(len(list_pictures(Path(place))) for place in places)
    with counting("Reading pictures", count, quiet=quiet) as advance:

        def on_picture() -> None:
            advance()
            if interrupted():
                raise KeyboardInterrupt

        scratch = run.folder.parent if run.folder.parent.is_dir() else Path(tempfile.gettempdir())
        return prepare(config, run, scratch=scratch, on_picture=on_picture, fresh=fresh)


def tell_of_pictures(plan: "Plan", *, quiet: bool) -> None:
    """Say which pictures cannot be read, and what is to be known of the others."""
    for error in plan.domain_a.skipped + plan.domain_b.skipped:
        complain(error)
    for note in plan.domain_a.notes + plan.domain_b.notes:
        tell(f"cyclegan: {note}", quiet=quiet)


def start_if_alone(devices: int) -> None:
    """Start a process for each device and end with what they end with, unless this is one of them already."""
    from cyclegan.training import started_processes
    from cyclegan.training.starting import start_processes

    if started_processes()[0] == 1:
        raise typer.Exit(start_processes(devices, sys.argv[1:]))


def summary(plan: "Plan") -> str:
    """Return what is about to be trained, as lines for people."""
    from cyclegan.devices import describe_device

    config, data = plan.config, plan.config.data
    domains = [
        (f"domain {side}", f"{printable(domain.name)}: {len(domain.pictures)} pictures in {printable(domain.folder)}")
        for side, domain in (("A", plan.domain_a), ("B", plan.domain_b))
    ]
    skipped = len(plan.domain_a.skipped) + len(plan.domain_b.skipped)
    schedule = config.schedule
    shape = "aspect kept" if data.keep_aspect else "squashed to a square"
    return table(
        [
            *domains,
            *([("skipped", f"{skipped} pictures that cannot be read")] if skipped else []),
            ("images", f"{data.size} x {data.size} pixels, cropped from {data.short_side}, {shape}"),
            ("networks", config.generator_in_words),
            *(
                [("identity", f"no such loss: {data.channels_a} channels against {data.channels_b}")]
                if data.channels_a != data.channels_b and config.loss.identity
                else []
            ),
            *([("begins with", beginning(plan))] if plan.initial else []),
            *([("validation", validation(plan))] if plan.domain_a.held_out else []),
            ("device", f"{describe_device(plan.device)}, {plan.precision}"),
            *([("devices", together(plan))] if plan.ranks.count > 1 else []),
            (
                "steps",
                f"{plan.total_steps:,} of {config.game.batch_size} pair{'s' * (config.game.batch_size > 1)}"
                f" ({schedule.epochs} + {schedule.decay_epochs} epochs of {plan.steps_per_epoch:,} steps"
                f"{', cut short' if schedule.max_steps else ''})",
            ),
            ("results", printable(plan.run.folder)),
        ]
    )


def together(plan: "Plan") -> str:
    """Return how many devices there are, what they play in a step, and at which learning rate."""
    count, pairs = plan.ranks.count, plan.ranks.count * plan.config.game.batch_size
    rate, scale = plan.full_learning_rate, plan.config.optimizer.scale
    return f"{count}, with {pairs} pairs in a step; learning rate {rate:g} (--scale-lr {scale})"


def validation(plan: "Plan") -> str:
    """Return which pictures are held out."""
    a, b, data = len(plan.domain_a.held_out), len(plan.domain_b.held_out), plan.config.data
    if data.validate_a:
        return f"{a} held-out pictures in {printable(data.validate_a)} and {b} in {printable(data.validate_b)}"
    return f"{a} and {b} held-out pictures"


def beginning(plan: "Plan") -> str:
    """Return whose weights a new run begins with, and in which networks."""
    networks = sorted({name.partition(".")[0] for name in plan.initial})
    return f"{printable(plan.config.game.init_from)}: {', '.join(networks)}"


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
        tell(f"cyclegan: {note}")
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
