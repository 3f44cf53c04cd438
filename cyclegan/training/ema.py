"""The exponential moving average (EMA) of a generator's weights, for translations (Yazici et al. 2018, 1806.04498).

By hand and not by `torch.optim.swa_utils`: its weight is a Python number, which a CUDA graph would keep for ever.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


def ema_copy(network: nn.Module) -> nn.Module:
    """Return the network that will hold the average."""
    return deepcopy(network).requires_grad_(False)


def ema_weight(steps: int, decay: float) -> float:
    """Return the share of the newest weights in the average after so many steps.

    The decay rises from 0 to its full value, so that the first, random weights are soon forgotten.
    """
    return 1 - min(decay, steps / (9 + steps))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, weight: Tensor) -> None:
    """Move the average towards a network's weights: average += weight * (network - average)."""
    averages: Any = list(average.parameters())
    weights: Any = list(network.parameters())
    differences: Any = torch._foreach_sub(weights, averages)
    torch._foreach_mul_(differences, weight)
    torch._foreach_add_(averages, differences)
