"""`cyclegan distill`."""

from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli import options
from cyclegan.cli.console import OUTPUT, Console, Json, Progress, Quiet
from cyclegan.cli.run_training import train_and_print
from cyclegan.config import build_config, parse_assignment

EXAMPLES = (
    "cyclegan distill horses2zebras",
    "cyclegan distill horses2zebras --name half --width 32 --epochs 30 --decay-epochs 30",
)
OF_RUN = "that of the run"

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name under checkpoints/.")]
Width = Annotated[
    int | None,
    options.option("Channels of the student's first layer.", options.NETWORK, default="a quarter of the run's"),
]
StudentEpochs = Annotated[
    int | None, options.option("Epochs at the full learning rate.", options.SCHEDULE, default=OF_RUN)
]
StudentDecayEpochs = Annotated[
    int | None,
    options.option("Epochs in which the learning rate then falls to zero.", options.SCHEDULE, default=OF_RUN),
]
StudentMaxSteps = Annotated[
    int | None, options.option("Steps after which training ends.", options.SCHEDULE, default=OF_RUN)
]
StudentBatchSize = Annotated[
    int | None, options.option("Samples in a step, on each device.", options.SCHEDULE, default=OF_RUN)
]
StudentDevice = Annotated[
    str | None, options.option("auto, cpu, cuda, cuda:1 or mps.", options.HARDWARE, default=OF_RUN)
]
StudentName = Annotated[str | None, options.option("Name of the new run.", OUTPUT, "--name", default="<RUN>-small")]


def distill(
    run: RunPath,
    width: Width = None,
    epochs: StudentEpochs = None,
    decay_epochs: StudentDecayEpochs = None,
    max_steps: StudentMaxSteps = None,
    hours: options.Hours = None,
    minutes: options.Minutes = None,
    batch_size: StudentBatchSize = None,
    device: StudentDevice = None,
    assignments: options.Assignments = None,
    name: StudentName = None,
    checkpoints: options.Checkpoints = Path("checkpoints"),
    fresh: options.Fresh = False,
    dry_run: options.DryRun = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a smaller, faster model that translates like a run.

    The same command continues an interrupted run.
    """
    flags = options.settings_of(locals())
    from cyclegan.checkpoints.find import find_run
    from cyclegan.training import student_settings

    teacher = find_run(run, checkpoints)
    config = build_config(student_settings(teacher), flags, *map(parse_assignment, assignments or []))
    name = name or f"{teacher.name}-small"
    train_and_print(config, checkpoints, name, Console(progress, quiet, as_json), fresh=fresh, dry_run=dry_run)
