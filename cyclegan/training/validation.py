"""Validation: now and then, translations of held-out pictures beside real ones of the other side, in numbers.

The number that decides which networks are kept as the best is the sliced Wasserstein distance (`cyclegan.quality`),
averaged over the levels and over both directions. With a few held-out pictures it wavers by some hundredths, so that
later networks whose score is within that of the least are kept in place of earlier ones. Faithfulness is written down
beside it and decides nothing: how much a picture should keep is a matter of the domains.
"""

import math
from typing import Any

import torch

from cyclegan.images import Images
from cyclegan.quality import SlicedWasserstein, structural_similarity
from cyclegan.training.doctor import one_by_one
from cyclegan.training.plan import Plan
from cyclegan.training.recording import chosen
from cyclegan.training.session import Best, Session, copied

MOST = 64  # pictures of each domain that are looked at
TIE = 1.05  # of the least score: up to there, later networks, which have learned longer, count as no worse
WORTH = 10  # pairs trained for each picture that is looked at, at least: what bounds the cost
LONGEST = 2000  # steps between two validations, however long an epoch is


class Validation:
    """Adds to each line of the metrics how good held-out translations are, when that is due, and keeps the best."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.every = plan.config.logging.validate_every or interval(plan)
        held_out = {"a": plan.domain_a.held_out, "b": plan.domain_b.held_out}
        self.real = {
            side: chosen(pictures, MOST, plan.config.data.size).to(plan.device)
            for side, pictures in held_out.items()
            if pictures
        }
        self.distance = {side: SlicedWasserstein(images) for side, images in self.real.items()}

    def __call__(self, session: Session, line: dict[str, Any]) -> dict[str, Any]:
        """Return the line with what was found, if it is time."""
        if not self.real or not self.plan.is_due(session.step, self.every):
            return line
        scores = self.scores(session)
        score = (scores["swd_a2b"] + scores["swd_b2a"]) / 2
        if not math.isfinite(score):
            return line
        best = compared(session, score, line["epoch"])
        return (
            line
            | scores
            | {
                "validation": score,
                "best_step": best.step,
                "best_epoch": best.epoch,
                "no_better_since_epoch": best.least_epoch,
                "plateau": best.since >= self.plan.config.schedule.plateau_patience,
            }
        )

    @torch.no_grad()
    def scores(self, session: Session) -> dict[str, float]:
        """Translate the held-out pictures, one at a time, and return what is seen, by the metrics' names."""
        found: dict[str, float] = {}
        for way, source, target in (("a2b", "a", "b"), ("b2a", "b", "a")):
            generator = session.generator(way).eval()
            fake = one_by_one(generator, self.real[source])
            generator.train()
            levels = self.distance[target](fake)
            found[f"swd_{way}"] = sum(levels) / len(levels)
            found[f"faithfulness_{source}"] = structural_similarity(self.real[source], fake).mean().item()
            found[f"held_out_score_{source}"] = mean_score(session, source, self.real[source])
        return found


def compared(session: Session, score: float, epoch: int) -> Best:
    """Compare the networks with the best so far, and keep them if they are better, or as good as chance can tell."""
    best = session.best or Best(score, epoch)
    if score < best.least:
        best.least, best.least_epoch, best.since = score, epoch, 0
    elif session.best:
        best.since += 1
    if score <= best.least * TIE:
        best.step, best.epoch, best.weights = session.step, epoch, copied(session.weights())
    session.best = best
    return best


def mean_score(session: Session, side: str, images: Images) -> float:
    """Return how real the discriminator of a domain takes images to be."""
    judge = getattr(session.networks, f"disc_{side}")
    return torch.stack([judge(image).mean() for image in torch.split(images, 1)]).mean().item()


def interval(plan: Plan) -> int:
    """Return the steps between validations: an epoch, longer where there is more to look at than to learn from."""
    pictures = sum(min(MOST, len(domain.held_out)) for domain in (plan.domain_a, plan.domain_b))
    cheap = -(-WORTH * pictures // plan.config.game.batch_size)
    return max(min(plan.steps_per_epoch, LONGEST), cheap, 1)
