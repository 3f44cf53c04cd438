"""The inputs of a training, and the arguments of its callbacks."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from cyclegan.checkpoints.model_file import Tensors
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.data.domains import Domain
from cyclegan.data.loader import batches_per_epoch
from cyclegan.directions import DIRECTIONS
from cyclegan.training.distillation import Teacher
from cyclegan.training.distributed import SINGLE_PROCESS, Ranks
from cyclegan.training.schedule import epoch_of, scheduled_rate
from cyclegan.training.state import TrainState
from cyclegan.training.time_plan import TimePlan
from cyclegan.training.timing import Stopwatch

MAX_AUTO_WARMUP = 1500  # steps


@dataclass(frozen=True)
class TrainInputs:
    """Settings, pictures and device of a training."""

    config: Config
    run: Run
    domain_a: Domain
    domain_b: Domain
    device: torch.device
    precision: Literal["fp32", "bf16"]
    initial_weights: Tensors = field(default_factory=dict)  # of a new run, where they are not drawn at random
    teacher: Teacher | None = None
    ranks: Ranks = SINGLE_PROCESS
    batch_offset: int = 0  # batches that steps on another number of devices took beyond as many steps on these
    plan: TimePlan | None = None  # that of the state, where the run fits itself to a time
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    @property
    def batches_per_epoch(self) -> int:
        """Batches of an epoch: as many samples as the larger folder has images."""
        return batches_per_epoch(self.domain_a, self.domain_b, self.config.training.batch_size)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch, in each of which every device takes a batch."""
        return -(-self.batches_per_epoch // self.ranks.count)

    @property
    def epochs(self) -> int:
        """Epochs of the whole run, the last of them perhaps cut short."""
        return self.epoch(self.total_steps - 1)

    def batches_before(self, step: int) -> int:
        """Return how many batches all devices together take before a step, counted from 0."""
        return self.batch_offset + step * self.ranks.count

    def epoch(self, step: int) -> int:
        """Return the epoch, counted from 1, to which a step, counted from 0, belongs."""
        return epoch_of(self.batches_before(step), self.batches_per_epoch) + 1

    @property
    def fingerprints(self) -> list[str]:
        """Hashes of both domains' pictures."""
        return [domain_fingerprint(self.domain_a), domain_fingerprint(self.domain_b)]

    @property
    def total_steps(self) -> int:
        """Steps of the whole run; those of a time plan change with the speed."""
        schedule = self.config.schedule
        batches = (schedule.epochs + schedule.decay_epochs) * self.batches_per_epoch
        steps = self.plan.total_steps if self.plan else -(-(batches - self.batch_offset) // self.ranks.count)
        return steps if schedule.max_steps == "none" else min(steps, schedule.max_steps)

    @property
    def initial_networks(self) -> set[str]:
        """The networks of a new run whose weights are not drawn at random."""
        return {name.partition(".")[0] for name in self.initial_weights}

    @property
    def discriminator_warmup(self) -> int:
        """Steps at the start of a new run in which only the discriminators learn.

        Discriminators that know nothing would pull trained generators away from what they can do.
        """
        if (steps := self.config.training.discriminator_warmup) != "auto":
            return steps
        initial = self.initial_networks
        only_generators = bool(initial) and not initial & {names.discriminator for names in DIRECTIONS}
        return min(MAX_AUTO_WARMUP, self.total_steps // 10) if only_generators else 0

    @property
    def full_learning_rate(self) -> float:
        """The learning rate before its decay, scaled with the number of devices as the settings say."""
        factors = {"none": 1.0, "sqrt": math.sqrt(self.ranks.count), "linear": float(self.ranks.count)}
        return self.config.optimizer.learning_rate * factors[self.config.optimizer.scale]

    def learning_rate(self, step: int) -> float:
        """Return the scheduled learning rate of a step, counted from 0."""
        schedule, full = self.config.schedule, self.full_learning_rate
        if self.plan:
            return min(full * self.plan.learning_rate_factor(step), schedule.max_learning_rate)
        return scheduled_rate(schedule, full, self.epoch(step) - 1)

    def is_logged(self, step: int) -> bool:
        """Tell whether a line of the metrics ends with this step, counted from 1."""
        return step % self.config.logging.every == 0 or step == self.total_steps

    def is_due(self, step: int, every: int) -> bool:
        """Tell whether the line of the metrics that ends at `step` is the first of `every` steps, or the last."""
        line = self.config.logging.every
        previous_end = max(0, step - 1) // line * line
        return step // every > previous_end // every or step == self.total_steps


@dataclass(frozen=True)
class StepInfo:
    """The step just done: argument of callbacks, beside the state."""

    step: int  # steps done
    total_steps: int
    epoch: int  # counted from 1
    total_epochs: int
    metrics: dict[str, Any] | None  # a line of metrics.jsonl, when one is due
    last: bool  # whether training ends here, finished or interrupted


Callback = Callable[[TrainState, StepInfo], None]
Log = Callable[[str], object]  # of messages for the user


def domain_fingerprint(domain: Domain) -> str:
    """Return a hash of the names and sizes of a domain's pictures."""
    lines = [f"{path.relative_to(domain.folder).as_posix()} {domain.sizes.get(path)}" for path in domain.files]
    lines += [f"held out: {path.name} {domain.sizes.get(path)}" for path in domain.held_out_files]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
