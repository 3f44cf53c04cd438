"""Validation: distances of translated held-out pictures to real ones of the target domain.

The two directions are at their best at different steps, so each keeps its own best networks: those with the lowest
sliced Wasserstein distance (`cyclegan.metrics`), averaged over the pyramid levels. With few held-out pictures it varies
by some hundredths, so later networks within SCORE_TOLERANCE of the lowest replace earlier ones. Faithfulness is logged
and decides nothing: how much of a picture should stay depends on the domains. Nor does the error of held-out pairs: the
least has the blurred mean of all true pictures.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cyclegan.data.folders import evenly_spaced
from cyclegan.data.samples import same_names
from cyclegan.diagnostics.rules import overfitting_share
from cyclegan.directions import DIRECTIONS, DirectionName, Names
from cyclegan.images import Images
from cyclegan.losses import l1
from cyclegan.metrics import SlicedWasserstein, structural_similarity
from cyclegan.models import discriminator_input
from cyclegan.training.grids import center_crops, one_by_one
from cyclegan.training.held_out_files import TranslatedDomain, save_held_out
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.state import Best, TrainState, cpu_copy, direction_weights

MAX_VALIDATION_PICTURES = 64  # of each domain
SCORE_TOLERANCE = 1.05  # times the lowest score, within which later networks replace earlier ones
COST_RATIO = 10  # trained samples for each validated picture, at least
LEVELS = 127.5  # of 255, for a difference of 1 between images in [-1, 1]
N_SIGMA = 2  # standard errors by which mean scores of some pictures may differ by chance
MAX_INTERVAL = 2000  # steps between two validations, however long an epoch is


class Validator:
    """Adds validation scores to each line of the metrics, when they are due; keeps each direction's best networks."""

    def __init__(self, inputs: TrainInputs) -> None:
        self.inputs = inputs
        every = inputs.config.logging.validate_every
        self.every = interval(inputs) if every == "auto" else every
        domains = {name: domain for name, domain in (("a", inputs.domain_a), ("b", inputs.domain_b)) if domain.held_out}
        size = inputs.config.data.size
        files = {
            name: evenly_spaced(domain.held_out_files, MAX_VALIDATION_PICTURES) for name, domain in domains.items()
        }
        self.names = {name: [path.name for path in paths] for name, paths in files.items()}
        self.real = {
            name: center_crops(domain.held_out, MAX_VALIDATION_PICTURES, size).to(inputs.device)
            for name, domain in domains.items()
        }
        self.trained = {
            name: center_crops(domain.pictures, MAX_VALIDATION_PICTURES, size).to(inputs.device)
            for name, domain in domains.items()
        }
        self.distance = {name: SlicedWasserstein(images) for name, images in self.real.items()}
        data = inputs.config.data
        folder_a, folder_b = Path(data.validate_a or data.folder_a), Path(data.validate_b or data.folder_b)
        pairs = same_names((files["a"], folder_a), (files["b"], folder_b)) if data.paired and files else []
        self.pairs = {name: [pair[side] for pair in pairs] for side, name in enumerate("ab")}

    def __call__(self, state: TrainState, line: dict[str, Any]) -> dict[str, Any]:
        """Return the line with the scores, if they are due; the numbers of each picture go to a file."""
        if not self.real or not self.inputs.is_due(state.step, self.every):
            return line
        translated = self.translate(state)
        scores = self.scores(state, translated)
        score = (scores["swd_a2b"] + scores["swd_b2a"]) / 2
        if not math.isfinite(score):
            return line
        save_held_out(self.inputs.run, state.step, translated)
        for names in DIRECTIONS:
            update_best(state, names, scores[f"swd_{names.direction}"], line["epoch"])
        return line | scores | {"validation": score} | self.best_so_far(state)

    def best_so_far(self, state: TrainState) -> dict[str, Any]:
        """Return which steps the best networks are of, and whether there is a plateau, by their names in metrics."""
        numbers: dict[str, Any] = {}
        for direction, best in state.best.items():
            numbers |= {f"best_step_{direction}": best.step, f"best_epoch_{direction}": best.epoch}
        return numbers | {
            "no_better_since_epoch": last_better_epoch(state.best),
            "plateau": is_plateau(state.best, self.inputs.config.schedule.plateau_patience),
        }

    def translate(self, state: TrainState) -> dict[str, TranslatedDomain]:
        """Translate the held-out pictures and back, one at a time."""
        translated = {}
        with state.eval_generators() as generators:
            for direction, inverse, source, target in DIRECTIONS:
                real = self.real[source]
                fake = one_by_one(generators[direction], real)
                cycled = one_by_one(generators[inverse], fake)
                scores = discriminator_scores(state, target, fake, real)
                translated[source] = TranslatedDomain(self.names[source], real, fake, cycled, scores)
        return translated

    @torch.no_grad()
    def scores(self, state: TrainState, translated: dict[str, TranslatedDomain]) -> dict[str, float]:
        """Return the scores of the translations by their names in metrics."""
        scores: dict[str, float] = {}
        for direction, _, source, target in DIRECTIONS:
            pictures = translated[source]
            distances = self.distance[target](pictures.fake)
            scores[f"swd_{direction}"] = sum(distances) / len(distances)
            scores[f"faithfulness_{source}"] = structural_similarity(pictures.real, pictures.fake).mean().item()
            if self.pairs[source]:
                translated_pairs, truth = pictures.fake[self.pairs[source]], self.real[target][self.pairs[target]]
                scores[f"truth_error_{direction}"] = LEVELS * l1(translated_pairs, truth).item()
            if not state.conditional:  # conditional ones would need the true source of every real image
                scores |= self.overfitting(state, source, fake_scores=translated[target].scores)
        return scores

    def overfitting(self, state: TrainState, domain: str, fake_scores: Tensor) -> dict[str, float]:
        """Return a discriminator's mean scores of held-out and of trained real images, and how far they are apart."""
        held_out, trained = (discriminator_scores(state, domain, real[domain]) for real in (self.real, self.trained))
        margin = N_SIGMA * sum(scores.var() / len(scores) for scores in (held_out, trained)) ** 0.5
        trained_mean, held_out_mean = trained.mean().item(), held_out.mean().item()
        share = overfitting_share(trained_mean, held_out_mean, fake_scores.mean().item(), float(margin))
        scores = {f"trained_score_{domain}": trained_mean, f"held_out_score_{domain}": held_out_mean}
        return scores | ({f"overfitting_{domain}": share} if math.isfinite(share) else {})


def update_best(state: TrainState, names: Names, score: float, epoch: int) -> Best:
    """Compare a direction's networks with its best so far; keep them if better, or as good within the tolerance."""
    best = state.best.get(names.direction)
    if best is None:
        best = state.best[names.direction] = Best(score, epoch)
    elif score < best.lowest_score:
        best.lowest_score, best.lowest_score_epoch, best.validations_since = score, epoch, 0
    else:
        best.validations_since += 1
    if score <= best.lowest_score * SCORE_TOLERANCE:
        weights = direction_weights(names, state.model_weights())
        best.step, best.epoch, best.weights = state.step, epoch, cpu_copy(weights)
    return best


def is_plateau(best: Mapping[DirectionName, Best], patience: int) -> bool:
    """Tell whether neither direction has got better in the last `patience` validations."""
    return bool(best) and all(of_direction.validations_since >= patience for of_direction in best.values())


def last_better_epoch(best: Mapping[DirectionName, Best]) -> int:
    """Return the epoch in which a direction was better than ever for the last time."""
    return max(of_direction.lowest_score_epoch for of_direction in best.values())


def discriminator_scores(
    state: TrainState, domain: str, images: Images, sources: Images | None = None
) -> Float[Tensor, " n"]:
    """Return the mean score that the discriminator of a domain gives each image; a conditional one needs sources."""
    discriminator = state.networks.get_submodule(f"disc_{domain}")
    seen = discriminator_input(images, sources if state.conditional else None)
    return torch.stack([discriminator(image).mean() for image in torch.split(seen, 1)])


def interval(inputs: TrainInputs) -> int:
    """Return the steps between validations: an epoch, or longer where validation would cost too much."""
    pictures = sum(min(MAX_VALIDATION_PICTURES, len(domain.held_out)) for domain in (inputs.domain_a, inputs.domain_b))
    affordable = -(-COST_RATIO * pictures // inputs.config.training.batch_size)
    return max(min(inputs.steps_per_epoch, MAX_INTERVAL), affordable, 1)
