"""What a run's metrics say."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def metrics(run: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a run's metrics."""
    path = run / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def last_step(run: Path) -> int:
    """Return the step of the newest line of a run's metrics, 0 without any."""
    lines = metrics(run)
    return int(lines[-1]["step"]) if lines else 0


def speed(lines: Sequence[dict[str, Any]]) -> float:
    """Return the steps per second of the last lines of one process."""
    last, first = lines[-1], lines[-1]
    for line in reversed(lines[-40:]):
        if line["elapsed_seconds"] > first["elapsed_seconds"]:
            break  # of the process before
        first = line
    took = last["elapsed_seconds"] - first["elapsed_seconds"]
    return round((last["step"] - first["step"]) / took, 2) if took else 1.0
