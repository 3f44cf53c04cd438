"""What the networks share."""

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["instance", "batch"]

EPSILON = 1e-5  # added to the variance


class InstanceNorm(nn.Module):
    """Bring every channel of every image to mean 0 and variance 1 (Ulyanov et al. 2016); nothing to learn.

    A group norm with one channel in a group: the numbers of `F.instance_norm`, sooner on a CPU.
    A convolution before it needs no bias, which the mean would take away again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        return F.group_norm(x, x.shape[1], eps=EPSILON)


def replace_instance_norms(network: nn.Module, make: Callable[[], nn.Module]) -> None:
    """Put a layer that `make` makes in the place of every instance norm."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, InstanceNorm):
                setattr(module, name, make())


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return a layer that normalises `channels` channels."""
    return nn.BatchNorm2d(channels) if norm == "batch" else InstanceNorm()
