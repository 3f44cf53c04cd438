"""`cyclegan distill`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cyclegan.cli.console import Json, Progress, Quiet
from cyclegan.cli.training import (
    Assignments,
    BatchSize,
    Checkpoints,
    DecayEpochs,
    Device,
    DryRun,
    Epochs,
    Fresh,
    MaxSteps,
    set_flags,
    train_and_print,
)
from cyclegan.config import build_config, parse_assignment


def distill(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name under checkpoints/.")],
    name: Annotated[
        str | None, typer.Option(help="The new run's name.  [default: <RUN>-small]", show_default=False)
    ] = None,
    checkpoints: Checkpoints = Path("checkpoints"),
    width: Annotated[
        int | None,
        typer.Option(help="Channels of the small generators' first layer.  [default: a quarter]", show_default=False),
    ] = None,
    epochs: Epochs = None,
    decay_epochs: DecayEpochs = None,
    max_steps: MaxSteps = None,
    batch_size: BatchSize = None,
    device: Device = None,
    assignments: Assignments = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train small generators to redraw as those of a run do; the same command again continues where it stopped."""
    from cyclegan.checkpoints.runs import find_run
    from cyclegan.training import student_settings

    teacher = find_run(run, checkpoints)
    flags: dict[str, dict[str, Any]] = {
        "generator": {"width": width},
        "schedule": {"epochs": epochs, "decay_epochs": decay_epochs, "max_steps": max_steps},
        "training": {"batch_size": batch_size},
        "machine": {"device": device},
    }
    config = build_config(student_settings(teacher), set_flags(flags), *map(parse_assignment, assignments or []))
    name = name or f"{teacher.name}-small"
    train_and_print(
        config, checkpoints, name, fresh=fresh, dry_run=dry_run, progress=progress, quiet=quiet, as_json=as_json
    )
