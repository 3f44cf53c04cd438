"""What the networks share."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["instance", "batch"]


class InstanceNorm(nn.Module):
    """Bring every channel of every image to mean 0 and variance 1 (Ulyanov et al. 2016); nothing to learn.

    A group norm with one channel in a group: the numbers of `F.instance_norm`, sooner on a CPU.
    A convolution before it needs no bias, which the mean would take away again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        return F.group_norm(x, x.shape[1])


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return a layer that normalises `channels` channels."""
    return nn.BatchNorm2d(channels) if norm == "batch" else InstanceNorm()
