"""What validation leaves on disk of single held-out pictures: numbers of each, and the best and worst to look at."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cyclegan.atomic import write_text
from cyclegan.checkpoints.runs import EXTREMES, Run
from cyclegan.images import Images
from cyclegan.training.callbacks import save_grid, triples


@dataclass(frozen=True)
class Redrawn:
    """The held-out pictures of one domain, redrawn and brought back."""

    names: list[str]
    real: Images
    fake: Images
    cycled: Images
    scores: Float[Tensor, " n"]  # how real the other domain's discriminator takes each translation to be

    def cycle_errors(self) -> Float[Tensor, " n"]:
        """Return the mean absolute difference of each picture and what came back."""
        return (self.cycled - self.real).abs().mean((1, 2, 3))


def record(run: Run, step: int, redrawn: Mapping[str, Redrawn]) -> None:
    """Write every picture's numbers, and a grid with a row real | fake | cycled for each of the best and worst."""
    facts: dict[str, list[dict[str, object]]] = {}
    grids, row = [], 0
    for side, these in redrawn.items():
        errors, scores = these.cycle_errors().tolist(), these.scores.tolist()
        shown = sorted(extremes(errors) | extremes(scores))
        rows = {number: row + place for place, number in enumerate(shown)}
        row += len(shown)
        grids.append(triples(*(images[shown] for images in (these.real, these.fake, these.cycled))))
        facts[side] = [
            {"picture": name, "cycle_error": error, "score": score, "row": rows.get(number)}
            for number, (name, error, score) in enumerate(zip(these.names, errors, scores, strict=True))
        ]
    save_grid(run.held_out / f"{step:09}.png", np.concatenate(grids))
    write_text(run.held_out / f"{step:09}.json", json.dumps(facts) + "\n")  # the grid that it speaks of is there


def extremes(values: Sequence[float]) -> set[int]:
    """Return the places of the least and of the greatest values."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    return {*order[:EXTREMES], *order[-EXTREMES:]}
