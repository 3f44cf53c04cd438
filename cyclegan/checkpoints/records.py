"""Records of a run beside its weights: metrics, sample grids, held-out pictures, evaluation."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cyclegan.atomic import sync_folder, write_text
from cyclegan.checkpoints.run import Run
from cyclegan.errors import disk_errors

EXTREMES = 3  # held-out pictures of a domain that are shown as the best, and as the worst, by one number
MAX_LOG_BYTES = 2**16  # at the end of a log that are read
SAMPLE_GAP = 4  # white pixels between the two directions of a sample grid


def append_metrics(run: Run, line: Mapping[str, Any]) -> None:
    """Add one line to the metrics."""
    with disk_errors(run.metrics):
        is_new = not run.metrics.exists()
        with run.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())  # a state saved later is never ahead of the metrics
        if is_new:
            sync_folder(run.folder)


def read_metrics(run: Run) -> list[dict[str, Any]]:
    """Return the metrics; lines truncated by a kill or a full disk are left out."""
    lines = []
    if run.metrics.exists():
        for text in run.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(line, dict) and isinstance(line.get("step"), int):
                lines.append(line)
    return lines


def delete_records_after(run: Run, step: int) -> None:
    """Delete metrics, samples and held-out pictures of steps that a continued run trains again."""
    if run.metrics.exists():
        lines = [json.dumps(line) + "\n" for line in read_metrics(run) if line["step"] <= step]
        write_text(run.metrics, "".join(lines))
    for path in [*sample_grids(run), *held_out_files(run)]:
        if int(path.stem) > step:
            path.unlink(missing_ok=True)


def last_log_lines(run: Run, most: int) -> list[str]:
    """Return the last lines, without empty ones, of what the training that the page started said."""
    if not run.log.exists():
        return []
    with run.log.open("rb") as file:
        file.seek(max(run.log.stat().st_size - MAX_LOG_BYTES, 0))
        text = file.read().decode("utf-8", errors="replace")
    return [line for line in text.splitlines() if line.strip()][-most:]


def save_evaluation(run: Run, scores: Mapping[str, Any]) -> None:
    """Write the scores against known counterparts."""
    write_text(run.evaluation, json.dumps(scores, indent=2) + "\n")


def read_evaluation(run: Run) -> dict[str, Any]:
    """Return the scores against known counterparts; empty if there are none, or if they are damaged."""
    try:
        scores = json.loads(run.evaluation.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return scores if isinstance(scores, dict) else {}


def sample_grids(run: Run) -> list[Path]:
    """Return the sample grids in the order of their steps."""
    return numbered(run.samples, ".png")


def held_out_files(run: Run) -> list[Path]:
    """Return the JSON files and grids of held-out pictures in the order of their steps."""
    return numbered(run.held_out, ".json", ".png")


def delete_old_held_out(run: Run) -> None:
    """Delete files of held-out pictures of all validations but the last; call it once that one is in a saved state."""
    files = held_out_files(run)
    for path in files:
        if int(path.stem) < int(files[-1].stem):
            path.unlink(missing_ok=True)


def read_held_out(run: Run) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Return the step of the last validation and its numbers of each picture, by domain; 0 and {} without one."""
    for path in reversed(numbered(run.held_out, ".json")):
        with suppress(OSError, ValueError, RecursionError):
            return int(path.stem), json.loads(path.read_text(encoding="utf-8"))
    return 0, {}


def numbered(folder: Path, *suffixes: str) -> list[Path]:
    """Return the files of a folder that are named after a step, in the order of their steps."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in files if path.suffix in suffixes and path.stem.isdecimal() and path.is_file())
