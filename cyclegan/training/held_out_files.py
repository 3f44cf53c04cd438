"""Files about single held-out pictures: the numbers of each, and a grid of the best and worst."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from cyclegan.atomic import write_text
from cyclegan.checkpoints.records import EXTREMES
from cyclegan.checkpoints.run import Run
from cyclegan.images import Images
from cyclegan.training.grids import save_grid, triples


@dataclass(frozen=True)
class TranslatedDomain:
    """The held-out pictures of one domain, their translations, and these translated back."""

    names: list[str]
    real: Images
    fake: Images
    cycled: Images
    scores: Float[Tensor, " n"]  # of the target domain's discriminator for each translation

    def cycle_errors(self) -> Float[Tensor, " n"]:
        """Return the mean absolute difference of each picture to its cycled one."""
        return (self.cycled - self.real).abs().mean((1, 2, 3))


def save_held_out(run: Run, step: int, translated: Mapping[str, TranslatedDomain]) -> None:
    """Write every picture's numbers, and a grid with a row real | fake | cycled for each of the best and worst."""
    facts: dict[str, list[dict[str, object]]] = {}
    grids, row = [], 0
    for domain, pictures in translated.items():
        errors, scores = pictures.cycle_errors().tolist(), pictures.scores.tolist()
        selected = sorted(extremes(errors) | extremes(scores))
        rows = {number: row + position for position, number in enumerate(selected)}
        row += len(selected)
        grids.append(triples(*(images[selected] for images in (pictures.real, pictures.fake, pictures.cycled))))
        facts[domain] = [
            {"picture": name, "cycle_error": error, "score": score, "row": rows.get(number)}
            for number, (name, error, score) in enumerate(zip(pictures.names, errors, scores, strict=True))
        ]
    save_grid(run.held_out / f"{step:09}.png", np.concatenate(grids))
    write_text(run.held_out / f"{step:09}.json", json.dumps(facts) + "\n")  # last: its grid exists then


def extremes(values: Sequence[float]) -> set[int]:
    """Return the indices of the least and of the greatest values."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    return {*order[:EXTREMES], *order[-EXTREMES:]}
