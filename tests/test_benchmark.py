"""The benchmark of training runs and prints what it promises."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_benchmark_compares_both_steps(tmp_path):
    figures = tmp_path / "figures.json"
    small = ("--size", "32", "--width", "4", "--turns", "1", "--device", "cpu", "--json", figures)
    subprocess.run(
        [sys.executable, "-m", "scripts.benchmark_training", *map(str, small)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    values = json.loads(figures.read_text())
    assert values["ratio"] > 0
    assert values["plain_peak_mib"] > 0
    assert 0 < values["share_of_floor"] < 1
