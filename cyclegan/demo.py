"""The demo: two small domains drawn by code, trained, translated, scored against the truth, and reported."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan.checkpoints.records import save_evaluation
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config, Settings, build_config
from cyclegan.data.synthetic import SEASONS, draw_domains
from cyclegan.directions import A2B, B2A
from cyclegan.images import read_picture
from cyclegan.reports import write_report
from cyclegan.translation import TranslateJob, TranslateOptions, Translator, plan_targets, translate_targets


@dataclass(frozen=True)
class Scale:
    """The size of a demo."""

    training: int  # pictures of each domain
    held_out: int  # pictures whose counterparts are known
    settings: Settings


FULL = Scale(
    training=160,
    held_out=40,
    settings={
        "data": {"size": 64, "load_size": 64},
        "generator": {"width": 16, "blocks": 2},
        "discriminator": {"width": 16, "layers": 2},
        "optimizer": {"learning_rate": 8e-4},
        "training": {"batch_size": 4, "ema_decay": 0.99},
        "schedule": {"epochs": 8, "decay_epochs": 8},
        "machine": {"threads": 2},  # one for each half of a step, on every machine
        "logging": {"every": 40, "samples_every": 160, "diagnose_every": 160},
    },
)
QUICK = Scale(
    training=16,
    held_out=6,
    settings={
        "data": {"size": 32, "load_size": 32},
        "generator": {"width": 8, "blocks": 1},
        "discriminator": {"width": 8, "layers": 2},
        "training": {"batch_size": 2, "ema_decay": 0.9},
        "schedule": {"epochs": 2, "decay_epochs": 2},
        "machine": {"threads": 2},  # one for each half of a step, on every machine
        "logging": {"every": 8, "samples_every": 16},
    },
)


def demo_config(scale: Scale, folder: Path, seed: int) -> Config:
    """Return the settings that train the demo's domains, drawn in `folder`."""
    a, b = SEASONS
    folders_and_names = {
        "folder_a": str((folder / a).resolve()),
        "folder_b": str((folder / b).resolve()),
        "name_a": a,
        "name_b": b,
    }
    return build_config(scale.settings, {"data": folders_and_names, "training": {"seed": seed}})


def draw_demo(scale: Scale, folder: Path, seed: int) -> None:
    """Draw both domains and the held-out pairs."""
    side = scale.settings["data"]["size"]
    draw_domains(folder, side=side, training=scale.training, held_out=scale.held_out, seed=seed)


def score_demo(run: Run, folder: Path) -> dict[str, Any]:
    """Translate the held-out pictures in both directions, and write scores and report.

    Errors are mean absolute differences in grey levels of 255; `ratio` is that of the translation to that of the
    picture left unchanged.
    """
    a, b = SEASONS
    directions = []
    for (direction, *_), source, target in ((A2B, a, b), (B2A, b, a)):
        translated = folder / "translated" / target
        translator = Translator(run.folder, direction=direction)
        targets = plan_targets([folder / "held_out" / source], target, output=translated)
        translate_targets(targets, TranslateJob(translator, TranslateOptions(overwrite=True)))
        truth = folder / "held_out" / target
        error = mean_difference(translated, truth)
        unchanged = mean_difference(folder / "held_out" / source, truth)
        directions.append(
            {"from": source, "to": target, "error": error, "unchanged": unchanged, "ratio": error / unchanged}
        )
    scores = {"pictures": len(targets), "directions": directions}
    save_evaluation(run, scores)
    write_report(run)
    return scores


def mean_difference(folder: Path, truth: Path) -> float:
    """Return the mean absolute difference, in grey levels, of the pictures of the same names in two folders."""
    differences = [
        np.abs(read_picture(path).pixels.astype(float) - read_picture(truth / path.name).pixels).mean()
        for path in sorted(folder.glob("*.png"))
    ]
    return float(np.mean(differences))
