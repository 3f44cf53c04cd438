"""Validation: now and then, translations of held-out pictures beside real ones of the other side, in numbers.

The number that decides which networks are kept as the best is the sliced Wasserstein distance (`cyclegan.metrics`),
averaged over the levels and over both directions. With a few held-out pictures it wavers by some hundredths, so that
later networks whose score is within that of the least are kept in place of earlier ones. Faithfulness is written down
beside it and decides nothing: how much a picture should keep is a matter of the domains.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cyclegan.data.folders import evenly
from cyclegan.diagnostics.rules import overfitting_share
from cyclegan.images import Images
from cyclegan.metrics import SlicedWasserstein, structural_similarity
from cyclegan.training.callbacks import chosen, one_by_one
from cyclegan.training.held_out import Redrawn, record
from cyclegan.training.inputs import Plan
from cyclegan.training.state import WAYS, Best, Session, copied

MOST = 64  # pictures of each domain that are looked at
TIE = 1.05  # of the least score: up to there, later networks, which have learned longer, count as no worse
WORTH = 10  # pairs trained for each picture that is looked at, at least: what bounds the cost
DOUBT = 2  # standard errors, by which mean scores of some pictures may differ by chance
LONGEST = 2000  # steps between two validations, however long an epoch is


class Validation:
    """Adds to each line of the metrics how good held-out translations are, when that is due, and keeps the best."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.every = plan.config.logging.validate_every or interval(plan)
        domains = {side: domain for side, domain in (("a", plan.domain_a), ("b", plan.domain_b)) if domain.held_out}
        self.names = {
            side: [path.name for path in evenly(domain.held_out_files, MOST)] for side, domain in domains.items()
        }
        self.real = {
            side: chosen(domain.held_out, MOST, plan.config.data.size).to(plan.device)
            for side, domain in domains.items()
        }
        self.trained = {
            side: chosen(domain.pictures, MOST, plan.config.data.size).to(plan.device)
            for side, domain in domains.items()
        }
        self.distance = {side: SlicedWasserstein(images) for side, images in self.real.items()}

    def __call__(self, session: Session, line: dict[str, Any]) -> dict[str, Any]:
        """Return the line with what was found, if it is time; what became of each picture is written down."""
        if not self.real or not self.plan.is_due(session.step, self.every):
            return line
        redrawn = self.redraw(session)
        scores = self.scores(session, redrawn)
        score = (scores["swd_a2b"] + scores["swd_b2a"]) / 2
        if not math.isfinite(score):
            return line
        record(self.plan.run, session.step, redrawn)
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

    def redraw(self, session: Session) -> dict[str, Redrawn]:
        """Translate the held-out pictures and bring them back, one at a time."""
        redrawn = {}
        with session.translating() as generators:
            for way, back, source, target in WAYS:
                real = self.real[source]
                fake = one_by_one(generators[way], real)
                cycled = one_by_one(generators[back], fake)
                redrawn[source] = Redrawn(self.names[source], real, fake, cycled, scored(session, target, fake))
        return redrawn

    @torch.no_grad()
    def scores(self, session: Session, redrawn: dict[str, Redrawn]) -> dict[str, float]:
        """Return what is seen in the redrawn pictures, by the metrics' names."""
        found: dict[str, float] = {}
        for way, _, source, target in WAYS:
            these = redrawn[source]
            levels = self.distance[target](these.fake)
            found[f"swd_{way}"] = sum(levels) / len(levels)
            found[f"faithfulness_{source}"] = structural_similarity(these.real, these.fake).mean().item()
            found |= self.judged(session, source, fake_scores=redrawn[target].scores)
        return found

    def judged(self, session: Session, side: str, fake_scores: Tensor) -> dict[str, float]:
        """Return how a discriminator scores real images held out and trained on, and whether it tells them apart."""
        held_out, trained = (scored(session, side, images[side]) for images in (self.real, self.trained))
        doubt = DOUBT * sum(scores.var() / len(scores) for scores in (held_out, trained)) ** 0.5
        real, other = trained.mean().item(), held_out.mean().item()
        share = overfitting_share(real, other, fake_scores.mean().item(), float(doubt))
        found = {f"trained_score_{side}": real, f"held_out_score_{side}": other}
        return found | ({f"overfitting_{side}": share} if math.isfinite(share) else {})


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


def scored(session: Session, side: str, images: Images) -> Float[Tensor, " n"]:
    """Return how real the discriminator of a domain takes each image to be."""
    judge = getattr(session.networks, f"disc_{side}")
    return torch.stack([judge(image).mean() for image in torch.split(images, 1)])


def interval(plan: Plan) -> int:
    """Return the steps between validations: an epoch, longer where there is more to look at than to learn from."""
    pictures = sum(min(MOST, len(domain.held_out)) for domain in (plan.domain_a, plan.domain_b))
    cheap = -(-WORTH * pictures // plan.config.game.batch_size)
    return max(min(plan.steps_per_epoch, LONGEST), cheap, 1)
