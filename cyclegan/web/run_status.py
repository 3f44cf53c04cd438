"""The state of a run, read from its folder."""

import shutil
import time
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from cyclegan.checkpoints.records import read_metrics, sample_grids
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.reports import render_progress
from cyclegan.reports.diagnosis import verdict_of
from cyclegan.text import printable
from cyclegan.web.catalogue import FileVersion, file_version

SILENT_SECONDS = 600  # without a new line, after which the page says so


def run_heading(run: Run) -> str:
    """Return the domains, progress, speed and verdict of a run, as HTML."""
    config = run.load_config()
    domains = f"{config.data.name_a} and {config.data.name_b}"
    facts = " · ".join(run_facts(run, config)) or "no metrics yet; the first line comes after some steps"
    return f"<p><strong>{escape(printable(domains))}</strong><br>{escape(facts)}</p>"


def run_facts(run: Run, config: Config) -> list[str]:
    """Return the facts in the last line of the metrics."""
    metrics = cached_metrics(run)
    if not metrics:
        return []
    last, age = metrics[-1], time.time() - run.metrics.stat().st_mtime
    facts = [f"step {last['step']:,}"]
    if isinstance(epoch := last.get("epoch"), int):
        facts.append(f"epoch {epoch:,}" + (f" of {config.epochs:,}" if config.epochs else ""))
    if isinstance(speed := last.get("samples_per_second"), int | float):
        facts.append(f"{speed:.2f} samples/s")
    if verdict := verdict_of(last):
        facts.append(f"health: {verdict}")
    facts.append(f"updated {max(age, 0):.0f} s ago" if age < SILENT_SECONDS else "not updated for ten minutes")
    return facts


def run_progress(run: Run) -> str:
    """Return the findings and the curves of a run, as HTML."""
    return render_progress(cached_metrics(run))


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
