"""What was trained and how, how far and how fast it is, and how to do it again."""

import shlex
from collections.abc import Sequence
from datetime import timedelta
from html import escape
from itertools import pairwise
from statistics import median
from typing import Any

from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.errors import printable

RECENT = 20  # lines of the metrics, whose speed is that of now
SENSIBLE = 1e12  # what no number reaches that is shown here

Rows = Sequence[tuple[str, str]]


def headline_facts(config: Config, metrics: Sequence[dict[str, Any]]) -> Rows:
    """Return how far a run is, how fast, and how good, as titles and values."""
    last = metrics[-1] if metrics else {"step": 0}
    schedule = config.schedule
    rows = [("Steps", f"{last['step']:,}")]
    rows += [("Epoch", f"{epoch} of {schedule.epochs + schedule.decay_epochs}") for epoch in numbers([last], "epoch")]
    if speeds := numbers(metrics[-RECENT:], "samples_per_second"):
        rows.append(("Speed", f"{median(speeds):.3g} pairs/s"))
    if seconds := trained_seconds(numbers(metrics, "elapsed_seconds")):
        rows.append(("Time", str(timedelta(seconds=round(seconds)))))
    if best := numbers(metrics, "best_step"):
        rows.append(("Best by validation", f"step {best[-1]:,.0f}"))
    guesses = [f"{found[-1]:.0%}" for side in "ab" if (found := numbers(metrics, f"disc_accuracy_{side}"))]
    return [*rows, *([("Discriminator accuracy", " / ".join(guesses))] if guesses else [])]


def numbers(metrics: Sequence[dict[str, Any]], name: str) -> list[float]:
    """Return every value of a number that makes sense."""
    found = (line.get(name) for line in metrics)
    return [value for value in found if isinstance(value, int | float) and abs(value) < SENSIBLE]


def trained_seconds(elapsed: Sequence[float]) -> float:
    """Return how long a run was trained in all; the clock of each continuation begins anew."""
    return sum(before for before, after in pairwise(elapsed) if after < before) + (elapsed[-1] if elapsed else 0.0)


def training_facts(config: Config) -> Rows:
    """Return what is trained and how, as titles and values."""
    data, loss, optimizer = config.data, config.loss, config.optimizer
    training, schedule = config.training, config.schedule
    limit = f", {schedule.max_steps:,} steps at most" if schedule.max_steps != "none" else ""
    validated = f"{data.validate:.0%} of each domain, held out" if data.validate else "none"
    return [
        ("Domain A", f"{data.name_a}, of {data.folder_a}"),
        ("Domain B", f"{data.name_b}, of {data.folder_b}"),
        ("Validation", f"{data.validate_a} and {data.validate_b}" if data.validate_a else validated),
        ("Images", f"{data.size} x {data.size} pixels, cropped from {data.short_side}"),
        ("Generators", config.generator_description),
        ("Discriminators", f"{config.discriminator.architecture}, width {config.discriminator.width}"),
        ("Losses", f"{loss.adversarial}, cycle {loss.cycle_a:g} and {loss.cycle_b:g}, identity {loss.identity:g}"),
        ("Optimizer", f"Adam, learning rate {optimizer.learning_rate:g}, batches of {training.batch_size}"),
        ("Schedule", f"{schedule.epochs} epochs at the full rate, {schedule.decay_epochs} in which it falls{limit}"),
        ("EMA decay", f"{training.ema_decay:g}" if training.ema_decay else "none"),
        ("Seed", str(training.seed)),
    ]


def commands(run: Run) -> Rows:
    """Return what to do next and the command line that does it."""
    folder, again = shlex.quote(str(run.folder)), shlex.quote(f"{run.name}-again")
    settings, parent, name = (shlex.quote(str(part)) for part in (run.config, run.folder.parent, run.name))
    train = f"cyclegan train --config {settings} --checkpoints {parent}"
    return [
        ("Continue it", f"{train} --name {name}"),
        ("Repeat it", f"{train} --name {again}"),
        ("Redraw pictures", f"cyclegan translate photos/ --model {folder}"),
        ("Write this page again", f"cyclegan report {folder}"),
    ]


def definitions(rows: Rows, kind: str) -> str:
    """Return titles and values as a list."""
    items = "".join(f"<div><dt>{title}</dt><dd>{escape(printable(value))}</dd></div>" for title, value in rows)
    return f'<dl class="{kind}">{items}</dl>'


def command_list(rows: Rows) -> str:
    """Return commands under their purposes."""
    return "".join(f"<h4>{title}</h4><pre><code>{escape(printable(line))}</code></pre>" for title, line in rows)
