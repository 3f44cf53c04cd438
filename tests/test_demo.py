"""The demo tells the whole story."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cyclegan.demo import mean_difference


def test_the_quick_demo_trains_translates_scores_and_reports(command, tmp_path: Path):
    result = command("demo", "--quick")
    assert result.returncode == 0, result.stderr
    assert "summer to winter" in result.stdout
    assert "left unchanged" in result.stdout
    scores = json.loads((tmp_path / "checkpoints" / "demo-quick" / "evaluation.json").read_text())
    assert scores["pictures"] == 6
    assert all(0 < way["ratio"] < 1.5 for way in scores["directions"])
    page = (tmp_path / "checkpoints" / "demo-quick" / "report.html").read_text()
    assert "summer to winter" in page
    assert page.count("<img") == 4  # two grids, both halves
    for domain in ("summer", "winter"):
        assert len(list((tmp_path / "datasets" / "demo-quick" / "translated" / domain).glob("*.png"))) == 6

    again = command("demo", "--quick", "--json")
    assert json.loads(again.stdout)["directions"] == scores["directions"]


def test_the_difference_is_that_of_pictures_of_the_same_name(tmp_path: Path):
    for folder, levels in (("ours", {"a": 10, "b": 20}), ("truth", {"a": 13, "b": 25, "c": 255})):
        (tmp_path / folder).mkdir()
        for name, level in levels.items():
            Image.fromarray(np.full((4, 4, 3), level, np.uint8)).save(tmp_path / folder / f"{name}.png")
    assert mean_difference(tmp_path / "ours", tmp_path / "truth") == 4
