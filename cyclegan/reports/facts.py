"""Facts about a run as titles and values: its progress, its settings, commands to continue or repeat it."""

import shlex
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.directions import DIRECTIONS, DirectionName

RECENT_LINES = 20  # of the metrics; their median is the current speed
MAX_VALUE = 1e12  # larger values are damaged

FactRows = Sequence[tuple[str, str]]


def headline_facts(config: Config, metrics: Sequence[dict[str, Any]]) -> FactRows:
    """Return the progress, speed and quality of a run."""
    last = metrics[-1] if metrics else {"step": 0}
    rows = [("Steps", f"{last['step']:,}")]
    rows += [
        ("Epoch", f"{epoch}{f' of {config.epochs}' if config.epochs else ''}") for epoch in numbers([last], "epoch")
    ]
    if speeds := numbers(metrics[-RECENT_LINES:], "samples_per_second"):
        rows.append(("Speed", f"{median(speeds):.3g} samples/s"))
    if seconds := trained_seconds(metrics):
        rows.append(("Time", str(timedelta(seconds=round(seconds)))))
    rows += [(f"Best {direction} by validation", f"step {step:,}") for direction, step in best_steps(metrics).items()]
    accuracies = [f"{values[-1]:.0%}" for domain in "ab" if (values := numbers(metrics, f"disc_accuracy_{domain}"))]
    return [*rows, *([("Discriminator accuracy", " / ".join(accuracies))] if accuracies else [])]


def best_steps(metrics: Sequence[dict[str, Any]]) -> dict[DirectionName, int]:
    """Return the step of each direction's best networks; runs of early versions have one best for both."""
    steps = {
        direction: numbers(metrics, f"best_step_{direction}") or numbers(metrics, "best_step")
        for direction, *_ in DIRECTIONS
    }
    return {direction: int(own[-1]) for direction, own in steps.items() if own}


def numbers(metrics: Sequence[dict[str, Any]], name: str) -> list[float]:
    """Return the values of a metric, without damaged ones."""
    values = (line.get(name) for line in metrics)
    return [value for value in values if isinstance(value, int | float) and abs(value) < MAX_VALUE]


def trained_seconds(metrics: Sequence[dict[str, Any]]) -> float:
    """Return the training time in all; `elapsed_seconds` begin with zero in every process that continues a run."""
    lines = [line for line in metrics if numbers([line], "elapsed_seconds")]
    ends = [
        before
        for before, after in pairwise(lines)
        if before.get("started_seconds") != after.get("started_seconds")
        or after["elapsed_seconds"] < before["elapsed_seconds"]  # of versions that wrote no start
    ]
    return sum(float(line["elapsed_seconds"]) for line in [*ends, *lines[-1:]])


def training_facts(config: Config) -> FactRows:
    """Return the data, the networks and the schedule."""
    data, loss, optimizer = config.data, config.loss, config.optimizer
    training, schedule = config.training, config.schedule
    limit = f", {schedule.max_steps:,} steps at most" if schedule.max_steps != "none" else ""
    length = f"{schedule.epochs} epochs at the full learning rate, {schedule.decay_epochs} of linear decay"
    if schedule.hours != "none":
        length = f"{schedule.hours:g} hours, linear decay in the last {config.decay_share:.0%}"
    validated = f"about {data.validate:.0%} of each domain, held out" if data.validate else "none"
    pairs = [("Pairs", "pictures of the same name; others are loose")] if data.paired else []
    discriminators = f"{config.discriminator.architecture}, width {config.discriminator.width}"
    conditional = ", which see the source beside the image" if config.discriminator.conditional else ""
    of_pairs = f", pairs {loss.paired:g}" if data.paired else ""
    losses = f"{loss.adversarial}, cycle {loss.cycle_a:g} and {loss.cycle_b:g}, identity {loss.identity:g}{of_pairs}"
    return [
        ("Domain A", f"{data.name_a}, of {data.folder_a}"),
        ("Domain B", f"{data.name_b}, of {data.folder_b}"),
        *pairs,
        ("Validation", f"{data.validate_a} and {data.validate_b}" if data.validate_a else validated),
        ("Images", f"{data.size} x {data.size} pixels, cropped from {data.short_side}"),
        ("Generators", config.generator_description),
        ("Discriminators", f"{discriminators}{conditional}"),
        ("Losses", losses),
        ("Optimizer", f"Adam, learning rate {optimizer.learning_rate:g}, batches of {training.batch_size}"),
        ("Schedule", f"{length}{limit}"),
        ("EMA decay", f"{training.ema_decay:g}" if training.ema_decay else "none"),
        ("Seed", str(training.seed)),
    ]


def commands(run: Run) -> FactRows:
    """Return purposes and the command lines that serve them."""
    folder, again = shlex.quote(str(run.folder)), shlex.quote(f"{run.name}-again")
    settings, parent, name = (shlex.quote(str(part)) for part in (run.config, run.folder.parent, run.name))
    train = f"cyclegan train --config {settings} --checkpoints {parent}"
    return [
        ("Continue it", f"{train} --name {name}"),
        ("Repeat it", f"{train} --name {again}"),
        ("Translate pictures", f"cyclegan translate photos/ --model {folder}"),
        ("Write this page again", f"cyclegan report {folder}"),
    ]
