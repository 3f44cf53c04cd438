"""What is about to be trained, and what an observer sees of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from cyclegan.config import Config
from cyclegan.data.domains import Domain
from cyclegan.data.loader import steps_per_epoch
from cyclegan.runs import Run
from cyclegan.training.session import Session, Tensors


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

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch: as many pairs as the larger folder has images."""
        return steps_per_epoch(self.domain_a, self.domain_b, self.config.game.batch_size)

    @property
    def fingerprints(self) -> list[str]:
        """Hashes of the names of both domains' pictures."""
        return [fingerprint(self.domain_a), fingerprint(self.domain_b)]

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        schedule = self.config.schedule
        steps = (schedule.epochs + schedule.decay_epochs) * self.steps_per_epoch
        return min(steps, schedule.max_steps) if schedule.max_steps else steps

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
    """Return a hash of the names of a domain's pictures."""
    names = "\n".join(
        [path.relative_to(domain.folder).as_posix() for path in domain.files]
        + [f"held out: {path.name}" for path in domain.held_out_files]
    )
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()
