"""What the networks share."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Norm = Literal["instance", "batch"]

EPSILON = 1e-5  # added to the variance
SMALL = 1024  # pixels of a map with channels last, below which torch's group norm on a CPU reads them one by one


class InstanceNorm(nn.Module):
    """Bring every channel of every image to mean 0 and variance 1 (Ulyanov et al. 2016); nothing to learn.

    The numbers of `F.instance_norm`, and channels that lie last stay there. A convolution before it needs no bias,
    which the mean would take away again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w, in its own precision; the sums are of fp32 or better."""
        if torch.compiler.is_compiling():
            return _by_hand(x)[0]  # the compiler makes one kernel of it
        normalized: Tensor = _grouped(x)[0] if x.is_contiguous() else _ChannelsLastNorm.apply(x)
        return normalized


class _ChannelsLastNorm(torch.autograd.Function):
    """The same with a backward pass of its own: on a CPU torch's takes sixty times as long where channels lie last.

    Small maps take its forward pass eighteen times as long, and elsewhere torch's group norm refuses such channels.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        large = x.shape[2] * x.shape[3] >= SMALL
        normalized, mean, scale = _grouped(x) if large and x.device.type == "cpu" else _by_hand(x)
        ctx.save_for_backward(x, mean, scale)
        return normalized

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, mean, scale = ctx.saved_tensors
        wide, pixels = torch.promote_types(x.dtype, torch.float32), x.shape[2] * x.shape[3]
        mean, scale = (moment.view(*x.shape[:2], 1, 1).to(wide) for moment in (mean, scale))
        pull = gradient.sum((2, 3), keepdim=True, dtype=wide) / pixels
        turn = (gradient * x).sum((2, 3), keepdim=True, dtype=wide) / pixels
        twist = (turn - mean * pull) * scale**2  # gradient - pull - normalized * (its mean product with the gradient)
        offset = (twist * mean - pull) * scale
        along, across, start = (factor.to(x.dtype) for factor in (scale, -twist * scale, offset))
        return torch.addcmul(start, gradient, along).addcmul_(x, across)


class ReflectionPad(nn.ReflectionPad2d):
    """Reflect the borders, in the precision of what comes in; left to itself, autocast on a CPU goes back to fp32."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) with its borders reflected."""
        with torch.autocast("cpu", enabled=False):
            return super().forward(x)


def replace_instance_norms(network: nn.Module, make: Callable[[], nn.Module]) -> None:
    """Put a layer that `make` makes in the place of every instance norm."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, InstanceNorm):
                setattr(module, name, make())


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return a layer that normalises `channels` channels."""
    return nn.BatchNorm2d(channels) if norm == "batch" else InstanceNorm()


def _grouped(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `x` normalised, the means (n c) that were taken away, and what it was then multiplied by.

    A group norm with one channel in a group is sooner done than an instance norm.
    """
    images, channels, height, width = x.shape
    return torch.native_group_norm(x, None, None, images, channels, height * width, channels, EPSILON)


def _by_hand(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same, written out, so that it depends on no layout."""
    wide, pixels = torch.promote_types(x.dtype, torch.float32), x.shape[2] * x.shape[3]
    mean = x.sum((2, 3), keepdim=True, dtype=wide) / pixels
    centred = x - mean
    scale = (centred.square().sum((2, 3), keepdim=True) / pixels + EPSILON).rsqrt()
    return (centred * scale).to(x.dtype), mean.flatten(1), scale.flatten(1)
