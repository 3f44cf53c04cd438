"""Train the demo's domains with validation, and compare what it keeps with the truth; run from the repository's root.

    python -m scripts.measure_validation FOLDER [--seeds 3] [--every 37]

The error is the mean absolute difference to the true counterparts of the demo's held-out pictures, in grey levels of
255, the mean of both directions: at every validation, and of the networks that were kept as the best.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from cyclegan.checkpoints.runs import Run, locked
from cyclegan.config import build_config
from cyclegan.data.folders import list_pictures
from cyclegan.demo import FULL, demo_config, draw_demo
from cyclegan.images import Images, read_picture, to_images
from cyclegan.training import Moment, prepare, train
from cyclegan.training.state import Session
from cyclegan.training.validation import Validation


def main() -> None:
    """Print a line for every validation, and one for every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=37, help="steps between validations")
    given = parser.parse_args()
    for seed in range(given.seeds):
        measure(given.folder / str(seed), seed, given.every)


def measure(folder: Path, seed: int, every: int) -> None:
    """Train one seed and say how good its best is."""
    draw_demo(FULL, folder, seed)
    summer, winter = (pictures(folder / "held_out" / season) for season in ("summer", "winter"))
    errors: dict[int, float] = {}
    lines: list[dict[str, Any]] = []
    looking, validating = [0.0], [0.0]  # seconds

    def look(moment: Moment) -> None:
        if moment.metrics and "validation" in moment.metrics:
            lines.append(moment.metrics)
            errors[moment.step] = clocked(error, looking)(moment.session, summer, winter)
            print(f"seed {seed} step {moment.step} {lines[-1]['validation']:.4f} error {errors[moment.step]:.2f}")  # noqa: T201

    config = build_config(
        asdict(demo_config(FULL, folder, seed)),
        {"data": {"validate": 0.1}, "logging": {"validate_every": every}},
    )
    run = Run(folder / "run")
    with locked(run), patch.object(Validation, "__call__", clocked(Validation.__call__, validating)):
        outcome = train(prepare(config, run, scratch=folder), observers=[look])
    least, last, best = min(errors, key=lambda step: errors[step]), lines[-1]["step"], lines[-1]["best_step"]
    print(  # noqa: T201
        f"seed {seed}: least {errors[least]:.3f} at {least}, last {errors[last]:.3f} at {last}, "
        f"best {errors[best]:.3f} at {best}; cost {validating[0] / (outcome.seconds - looking[0]):.1%}"
    )


def clocked(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """Return a function whose time is added up."""

    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds[0] += time.perf_counter() - began

    return timed


def pictures(folder: Path) -> Images:
    """Return the pictures of a folder."""
    return torch.cat([to_images(read_picture(path).pixels) for path in list_pictures(folder)])


@torch.no_grad()
def error(session: Session, summer: Images, winter: Images) -> float:
    """Return how far the translations are from the truth."""
    differences = []
    for way, given, truth in (("a2b", summer, winter), ("b2a", winter, summer)):
        generator = session.generator(way).eval()
        differences.append((generator(given) - truth).abs().mean().item() * 127.5)
        generator.train()
    return sum(differences) / 2


if __name__ == "__main__":
    main()
