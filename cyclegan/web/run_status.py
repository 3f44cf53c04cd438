"""The state of a run, read from its folder."""

import shutil
import time
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from cyclegan.checkpoints.records import last_log_lines, read_metrics, sample_grids
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.reports import render_progress
from cyclegan.reports.diagnosis import verdict_of
from cyclegan.text import duration, printable
from cyclegan.web.catalogue import FileVersion, file_version
from cyclegan.web.trainings import TrainingStatus, train_result

SILENT_SECONDS = 600  # without a new line, after which the page says so
LOG_LINES = 10  # at the end of a log that are shown
LABELS = {"training": "Training.", "finished": "Finished.", "stopped": "Stopped.", "failed": "Failed."}  # by state


def run_heading(run: Run, status: TrainingStatus) -> str:
    """Return the domains, state, progress, speed and verdict of a run, as HTML."""
    title, facts = run.name, ""
    if run.config.is_file():
        config = run.load_config()
        title = f"{config.data.name_a} and {config.data.name_b}"
        facts = " · ".join(run_facts(run, config)) or "no metrics yet; the first line comes after some steps"
    lines = [f"<strong>{escape(printable(title))}</strong>", status_line(status), escape(facts)]
    return f"<p>{'<br>'.join(filter(None, lines))}</p>"


def status_line(status: TrainingStatus) -> str:
    """Return the state of a training as HTML."""
    if not status.state:
        return ""
    label = f'<span class="{status.state}">{LABELS[status.state]}</span>'
    return f"{label} {escape(printable(status.message))}"


def run_facts(run: Run, config: Config) -> list[str]:
    """Return the facts in the last line of the metrics."""
    metrics = cached_metrics(run)
    if not metrics:
        return []
    last, age = metrics[-1], time.time() - run.metrics.stat().st_mtime
    planned = last.get("planned_steps")
    facts = [f"step {last['step']:,}" + (f" of about {planned:,}" if isinstance(planned, int) else "")]
    if isinstance(epoch := last.get("epoch"), int):
        facts.append(f"epoch {epoch:,}" + (f" of {config.epochs:,}" if config.epochs else ""))
    if isinstance(speed := last.get("samples_per_second"), int | float):
        facts.append(f"{speed:.2f} samples/s")
        if isinstance(planned, int) and planned > last["step"] and speed > 0:
            samples = (planned - last["step"]) * config.training.batch_size * config.machine.devices
            facts.append(f"{duration(samples / speed)} left")
    if verdict := verdict_of(last):
        facts.append(f"health: {verdict}")
    facts.append(f"updated {max(age, 0):.0f} s ago" if age < SILENT_SECONDS else "not updated for ten minutes")
    return facts


def run_progress(run: Run) -> str:
    """Return the findings and the curves of a run, as HTML."""
    return render_progress(cached_metrics(run))


def log_text(run: Run) -> str:
    """Return the end of what a training that the page started has said, without the result, which is for programs."""
    return "\n".join(printable(line) for line in last_log_lines(run, LOG_LINES) if train_result(line) is None)


def newest_sample(run: Run, folder: Path) -> Path | None:
    """Return a copy in `folder` of the newest sample grid; None while there is none."""
    grids = sample_grids(run)
    if not grids:
        return None
    changed, size, inode = file_version(grids[-1])
    copy = folder / f"{grids[-1].stem}-{changed}-{size}-{inode}.png"
    if not copy.exists():
        shutil.copyfile(grids[-1], copy)
    return copy


def cached_metrics(run: Run) -> list[dict[str, Any]]:
    """Return the metrics, read again only after the file has changed."""
    return _read_metrics(run, file_version(run.metrics)) if run.metrics.exists() else []


@lru_cache(maxsize=4)
def _read_metrics(run: Run, version: FileVersion) -> list[dict[str, Any]]:  # noqa: ARG001
    return read_metrics(run)
