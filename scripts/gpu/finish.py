"""Put together what came back from `train`, and have its translations scored; here, not on the GPU's machine.

    python -m scripts.gpu.finish FOLDER [--photographs FOLDER] [--judge FILE] [--output .gpu/result]

Writes the model and everything else into the output, runs the judge (../shared/judge/judge.py) on both directions,
and prints the row for docs/benchmarks.md.
"""

import argparse
import json
import subprocess
import sys
import tomllib
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.gpu.pieces import join
from scripts.gpu.report import say

# direction: test folder of the sources, that of real pictures, ImageNet's class of what they should become
DIRECTIONS = {"a2b": ("testA", "testB", 340), "b2a": ("testB", "testA", 339)}  # zebra, sorrel horse


def scores_of(judge: Path, photographs: Path, translated: Path, direction: str) -> dict[str, Any]:
    """Return the judge's scores of translations."""
    source, real, wanted = DIRECTIONS[direction]
    command = [sys.executable, judge, translated, photographs / real]
    command += ["--reference", photographs / source, "--class", wanted, "--json"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The judge could not score {translated}: {done.stderr[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def row(output: Path, scores: dict[str, dict[str, Any]]) -> str:
    """Return the row of the table in docs/benchmarks.md, "Training on a GPU"."""
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    settings = tomllib.loads((output / "config.toml").read_text())
    batch, size = find(settings, "batch_size"), find(settings, "size")
    minutes = sum(line["elapsed_seconds"] for line in last_lines(lines)) / 60
    samples = lines[-1]["step"] * batch
    cells = [f"{datetime.now(UTC):%Y-%m-%d}", f"{size} px, batch {batch}", f"{samples:,}", f"{minutes:.1f} min"]
    cells.append(f"{samples / (60 * minutes):.1f}")
    shown = ("frechet", "class_top1", "class_top5", "kept")
    cells += [", ".join(f"{score[key]}" for key in shown) for score in scores.values()]
    return f"| {' | '.join(cells)} |"


def last_lines(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last line of each call: its clock begins anew."""
    clocks = [line["elapsed_seconds"] for line in lines]
    return [line for line, clock, after in zip(lines, clocks, [*clocks[1:], 0], strict=True) if after <= clock]


def find(settings: dict[str, dict[str, Any]], key: str) -> Any:
    """Return a setting, in whatever section it is."""
    return next(section[key] for section in settings.values() if key in section)


def main() -> None:
    """Join, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pieces lie")
    parser.add_argument("--photographs", type=Path, default=Path("../shared/horse2zebra"))
    parser.add_argument("--judge", type=Path, default=Path("../shared/judge/judge.py"))
    parser.add_argument("--output", type=Path, default=Path(".gpu/result"))
    asked = parser.parse_args()
    model = join(asked.folder, "model.safetensors", asked.output / "model.safetensors")
    with zipfile.ZipFile(join(asked.folder, "rest.zip", asked.output / "rest.zip")) as archive:
        archive.extractall(asked.output)
    translated = asked.output / "translated"
    scores = {way: scores_of(asked.judge, asked.photographs, translated / way, way) for way in DIRECTIONS}
    (asked.output / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    say(f"The model is {model}, its sheets are a2b.jpg and b2a.jpg beside it. The row for docs/benchmarks.md:")
    say(row(asked.output, scores))


if __name__ == "__main__":
    main()
