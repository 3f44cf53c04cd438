"""Means of losses and measures over the steps between two lines of the metrics."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from cyclegan.diagnostics.measures import Numbers
from cyclegan.losses import LOSS_NAMES
from cyclegan.training.distributed import SINGLE_PROCESS, Ranks


@dataclass
class RunningMeans:
    """Means of the numbers of the steps since the last line of the metrics, summed on the device."""

    names: list[str] = field(default_factory=list)
    totals: Tensor = field(default_factory=lambda: torch.zeros(2, 0))  # sums of finite values; how many there were
    steps: int = 0

    def add(self, numbers: Numbers) -> None:
        """Add the numbers of one step; nothing waits for the device."""
        values = torch.stack(list(numbers.values()))
        finite = values.isfinite()
        counted = torch.stack([values.where(finite, 0.0), finite.to(values.dtype)])
        self.names, self.totals = list(numbers), self.totals + counted if self.steps else counted
        self.steps += 1

    def compute(self, ranks: Ranks = SINGLE_PROCESS) -> dict[str, float]:
        """Return the mean of each number over the ranks and steps in which it was finite, the losses first."""
        sums, counts = ranks.summed(self.totals).tolist()
        means = {name: total / count for name, total, count in zip(self.names, sums, counts, strict=True) if count}
        return {name: means.pop(name) for name in LOSS_NAMES if name in means} | means
