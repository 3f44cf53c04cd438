"""What is about to be trained, and what an observer sees of it."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from cyclegan.checkpoints.runs import Run
from cyclegan.config import Config
from cyclegan.data.domains import Domain
from cyclegan.data.loader import batches_per_epoch
from cyclegan.training.distillation import Teacher
from cyclegan.training.distributed import ALONE, Ranks
from cyclegan.training.schedule import epoch_of
from cyclegan.training.state import Session, Tensors


@dataclass(frozen=True)
class Plan:
    """What is about to be trained, on what, and for how long."""

    config: Config
    run: Run
    domain_a: Domain
    domain_b: Domain
    device: torch.device
    precision: Literal["fp32", "bf16"]
    initial: Tensors = field(default_factory=dict)  # what a new run begins with, where that is not drawn
    teacher: Teacher | None = None
    ranks: Ranks = ALONE
    lead: int = 0  # batches by which steps on another number of devices were ahead of as many steps on these

    @property
    def batches_per_epoch(self) -> int:
        """Batches of an epoch: as many pairs as the larger folder has images."""
        return batches_per_epoch(self.domain_a, self.domain_b, self.config.game.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, in each of which every device takes a batch."""
        return -(-self.batches_per_epoch // self.ranks.count)

    @property
    def epochs(self) -> int:
        """Epochs of the whole run, the last of them perhaps cut short."""
        return self.epoch(self.total_steps - 1)

    def batches_before(self, step: int) -> int:
        """Return how many batches are taken before a step, counted from 0, by all devices together."""
        return self.lead + step * self.ranks.count

    def epoch(self, step: int) -> int:
        """Return the epoch, counted from 1, to which a step, counted from 0, belongs."""
        return epoch_of(self.batches_before(step), self.batches_per_epoch) + 1

    @property
    def fingerprints(self) -> list[str]:
        """Hashes of both domains' pictures."""
        return [fingerprint(self.domain_a), fingerprint(self.domain_b)]

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        schedule = self.config.schedule
        batches = (schedule.epochs + schedule.decay_epochs) * self.batches_per_epoch
        steps = -(-(batches - self.lead) // self.ranks.count)
        return min(steps, schedule.max_steps) if schedule.max_steps else steps

    @property
    def full_learning_rate(self) -> float:
        """The learning rate before its decay, grown with the number of devices as the settings say."""
        growth = {"none": 1.0, "sqrt": math.sqrt(self.ranks.count), "linear": float(self.ranks.count)}
        return self.config.optimizer.learning_rate * growth[self.config.optimizer.scale]

    def is_due(self, step: int, every: int) -> bool:
        """Tell whether the line of the metrics that ends at `step` is the first of `every` steps, or the last."""
        line = self.config.logging.every
        before = max(0, step - 1) // line * line  # where the line before ended
        return step // every > before // every or step == self.total_steps


@dataclass(frozen=True)
class Moment:
    """What an observer sees after a step."""

    plan: Plan
    session: Session
    step: int  # steps played
    epoch: int  # counted from 1
    metrics: dict[str, Any] | None  # a line of metrics.jsonl, when one is due
    last: bool  # whether training ends here, finished or interrupted


Observer = Callable[[Moment], None]


def fingerprint(domain: Domain) -> str:
    """Return a hash of the names and sizes of a domain's pictures."""
    known = "\n".join(
        [f"{path.relative_to(domain.folder).as_posix()} {domain.sizes.get(path)}" for path in domain.files]
        + [f"held out: {path.name} {domain.sizes.get(path)}" for path in domain.held_out_files]
    )
    return hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()
