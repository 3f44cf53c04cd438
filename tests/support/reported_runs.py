"""Runs without a training: metrics, samples and held-out pictures as the report reads them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cyclegan.atomic import write_text
from cyclegan.checkpoints.records import SAMPLE_GAP
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config, save_config

HOSTILE = "<script>document.title='owned'</script>"
SIDE = 8  # pixels
WINNER = {
    "name": "discriminator_wins",
    "about": "disc_a",
    "verdict": "watch",
    "reason": "disc_a <b>wins</b>.",
    "suggestion": "Widen.",
}


def make_run(folder: Path, name: str = "horses") -> Run:
    run = Run(folder / "run")
    save_config(build_config({"data": {"name_a": name, "name_b": "zebras", "folder_a": name}}), run.config)
    return run


def draw_samples(run: Run, *steps: int) -> None:
    """Draw a grid of one picture of each domain for each step."""
    run.samples.mkdir(exist_ok=True)
    for step in steps:
        pixels = np.full((SIDE, 6 * SIDE + SAMPLE_GAP, 3), step % 256, np.uint8)
        Image.fromarray(pixels).save(run.samples / f"{step:09}.png")


def leave_held_out(run: Run, *names: str) -> None:
    """Leave numbers and a grid of held-out pictures, the same of both domains; each is worse than the one before."""
    facts = [
        {"picture": name, "cycle_error": number / 10, "score": 1 - number / 10, "row": number}
        for number, name in enumerate(names)
    ]
    run.held_out.mkdir(exist_ok=True)
    Image.new("RGB", (3 * SIDE, SIDE * len(names))).save(run.held_out / "000000030.png")
    write_text(run.held_out / "000000030.json", json.dumps({"a": facts, "b": facts}))


def line_with(step: int, *findings: dict) -> dict:
    """Return a line of the metrics with findings of the doctor."""
    verdict = "watch" if findings else "fine"
    return {"step": step, "disc_accuracy_a": 0.9, "health": {"verdict": verdict, "findings": list(findings)}}
