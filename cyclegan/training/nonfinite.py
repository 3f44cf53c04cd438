"""Skips an optimizer's step whose gradients are not finite, so that the weights stay finite numbers."""

from typing import Any

import torch
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

MAX_GRAD_NORM = 1e18  # a norm whose square Adam can still hold in fp32


class NonFiniteFilter:
    """A hook before every step of an optimizer; its two numbers of the last step stay on the device."""

    def __init__(self, optimizer: Optimizer) -> None:
        zero = torch.zeros((), device=optimizer.param_groups[0]["params"][0].device)
        self.norm = zero  # of all gradients together
        self.skipped = zero  # 1 if it was not finite, or beyond MAX_GRAD_NORM
        optimizer.register_step_pre_hook(self)

    def __call__(self, optimizer: Any, *_: object) -> None:
        """Measure the gradients of the step to come, and mark it as skipped if they are not finite."""
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        self.skipped = (~(self.norm < MAX_GRAD_NORM)).float()
        if optimizer.defaults.get("fused"):
            optimizer.found_inf = self.skipped  # as torch's gradient scaler does: the device skips the step
        elif self.skipped:  # waits for the device, where no fused optimizer can be had
            optimizer.zero_grad()
