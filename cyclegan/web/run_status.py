"""Watching a run from its folder alone, whoever trains it."""

import shutil
import time
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from cyclegan.checkpoints.runs import Run, read_metrics, sample_grids
from cyclegan.config import Config
from cyclegan.errors import printable
from cyclegan.reports import render_progress
from cyclegan.reports.diagnosis import verdict_of
from cyclegan.web.translating import Look, look

SILENT = 600  # seconds without a line, after which a run is told to be silent


def heading(run: Run) -> str:
    """Return which domains a run is between, how far it is, how fast, and the doctor's verdict, as HTML."""
    config = run.load_config()
    domains = f"{config.data.name_a} and {config.data.name_b}"
    facts = " · ".join(facts_of(run, config)) or "nothing is written down yet; the first line comes after some steps"
    return f"<p><strong>{escape(printable(domains))}</strong><br>{escape(facts)}</p>"


def facts_of(run: Run, config: Config) -> list[str]:
    """Return what the last line of the metrics says."""
    metrics = metrics_of(run)
    if not metrics:
        return []
    last, silent = metrics[-1], time.time() - run.metrics.stat().st_mtime
    facts = [f"step {last['step']:,}"]
    if isinstance(epoch := last.get("epoch"), int):
        facts.append(f"epoch {epoch:,} of {config.schedule.epochs + config.schedule.decay_epochs:,}")
    if isinstance(rate := last.get("samples_per_second"), int | float):
        facts.append(f"{rate:.2f} pairs a second")
    if verdict := verdict_of(last):
        facts.append(f"the doctor says {verdict}")
    facts.append(f"written {max(silent, 0):.0f} s ago" if silent < SILENT else "no line for ten minutes")
    return facts


def progress(run: Run) -> str:
    """Return the findings and the curves of a run, as HTML."""
    return render_progress(metrics_of(run))


def newest_sample(run: Run, place: Path) -> Path | None:
    """Return a copy in `place` of the newest sample grid; nothing while there is none."""
    grids = sample_grids(run)
    if not grids:
        return None
    changed, size, number = look(grids[-1])
    copy = place / f"{grids[-1].stem}-{changed}-{size}-{number}.png"
    if not copy.exists():
        shutil.copyfile(grids[-1], copy)
    return copy


def metrics_of(run: Run) -> list[dict[str, Any]]:
    """Return the metrics, read again only when the file has changed."""
    return _metrics(run, look(run.metrics)) if run.metrics.exists() else []


@lru_cache(maxsize=4)
def _metrics(run: Run, seen: Look) -> list[dict[str, Any]]:  # noqa: ARG001
    return read_metrics(run)
