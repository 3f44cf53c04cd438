"""Pairs bring translations nearer to the truth, which drawn landscapes have."""

from pathlib import Path

import numpy as np
import pytest

from cyclegan import Translator
from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.data.synthetic import SEASONS, draw_pair
from tests.support.runs import train_run

SIDE, SCENES, HELD_OUT, STEPS = 32, 12, 6, 60


def draw_scenes(folder: Path, indices: range = range(SCENES)) -> tuple[Path, Path]:
    """Write scenes in both seasons, under the same names."""
    folders = folder / SEASONS[0], folder / SEASONS[1]
    for index in indices:
        for season, picture in zip(folders, draw_pair(0, index, SIDE), strict=True):
            season.mkdir(parents=True, exist_ok=True)
            picture.save(season / f"{index}.png")
    return folders


def error_to_the_truth(run: Run) -> float:
    """Return the mean absolute difference, of 255, of translated scenes that were not trained on."""
    translate = Translator(run.folder, device="cpu")
    pairs = [draw_pair(0, SCENES + index, SIDE) for index in range(HELD_OUT)]
    return float(np.mean([np.abs(np.asarray(translate(a), float) - np.asarray(b)).mean() for a, b in pairs]))


def test_pairs_are_nearer_to_the_truth_after_as_many_steps(tmp_path):
    folders = draw_scenes(tmp_path)
    held_out = draw_scenes(tmp_path / "held out", range(SCENES, SCENES + HELD_OUT))
    settings = {
        "data": {"size": SIDE, "load_size": SIDE, "validate_a": str(held_out[0]), "validate_b": str(held_out[1])},
        "generator": {"width": 8, "dropout": False},
        "optimizer": {"learning_rate": 2e-3},
        "training": {"diffaugment": False, "ema_decay": 0.9},
        "logging": {"every": STEPS, "samples_every": STEPS},
    }
    errors = {}
    for paired in (False, True):
        run = Run(tmp_path / f"paired {paired}")
        train_run(run, folders, STEPS, settings, {"data": {"paired": paired}})
        errors[paired] = error_to_the_truth(run)
        (line,) = read_metrics(run)
        assert line.get("truth_error_a2b") == (pytest.approx(errors[True], abs=0.5) if paired else None)
    assert errors[True] < 0.9 * errors[False], errors
