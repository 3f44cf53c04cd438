"""The guard: an update that would bring anything but finite numbers into the weights is refused."""

from typing import Any

import torch
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

LARGEST = 1e18  # a norm whose square Adam can still hold in fp32


class Guard:
    """Stands before an optimizer; what it has seen of the last update stays on the device."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.norm = torch.zeros(())  # of all gradients together
        self.refused = torch.zeros(())  # 1 where it was not finite, or beyond all reason
        optimizer.register_step_pre_hook(self)

    def __call__(self, optimizer: Any, *_: object) -> None:
        """Look at the gradients that the optimizer is about to follow."""
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        self.refused = (~(self.norm < LARGEST)).float()
        if optimizer.defaults.get("fused"):
            optimizer.found_inf = self.refused  # as torch's gradient scaler does: the device skips what it marks
        elif self.refused:  # waits for the device, where no fused optimizer can be had
            optimizer.zero_grad()
