"""Layers that the networks share: the instance norm, reflection padding."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

Norm = Literal["instance", "batch"]

EPSILON = 1e-5  # added to the variance
MIN_GROUP_NORM_PIXELS = 1024  # of a channels-last map: below, torch's group norm on a CPU reads pixels one by one


class InstanceNorm(nn.Module):
    """Normalise every channel of every image to mean 0 and variance 1, without learned scale (Ulyanov et al. 2016).

    The numbers are those of `F.instance_norm`; the memory format of the input stays. A convolution before it needs no
    bias, which the norm would subtract again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` (n c h w) over h and w, in its own precision; sums are computed in fp32 or better."""
        if torch.compiler.is_compiling():
            return _norm_by_arithmetic(x)[0]  # the compiler fuses it into one kernel
        normalized: Tensor = _norm_by_group_norm(x)[0] if x.is_contiguous() else _ChannelsLastNorm.apply(x)
        return normalized


class _ChannelsLastNorm(torch.autograd.Function):
    """The norm of channels-last images, with a backward pass of its own.

    torch's backward of a group norm takes sixty times as long on a CPU where channels lie last, and its forward
    eighteen times as long for small maps; on CUDA it refuses channels last.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        is_large = x.shape[2] * x.shape[3] >= MIN_GROUP_NORM_PIXELS
        norm = _norm_by_group_norm if is_large and x.device.type == "cpu" else _norm_by_arithmetic
        normalized, mean, inverse_std = norm(x)
        ctx.save_for_backward(x, mean, inverse_std)
        return normalized

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        # With y = (x - mean) * s, s = 1 / std, and means over the pixels of a channel:
        #     dL/dx = s * (grad - mean(grad) - y * mean(grad * y))
        # written as grad * s + x * x_factor + constant, so that no y is needed in memory.
        x, mean, inverse_std = ctx.saved_tensors
        wide, pixels = torch.promote_types(x.dtype, torch.float32), x.shape[2] * x.shape[3]
        mean, inverse_std = (moment.view(*x.shape[:2], 1, 1).to(wide) for moment in (mean, inverse_std))
        mean_grad = grad.sum((2, 3), keepdim=True, dtype=wide) / pixels
        mean_grad_x = (grad * x).sum((2, 3), keepdim=True, dtype=wide) / pixels
        mean_grad_y_over_std = (mean_grad_x - mean * mean_grad) * inverse_std**2
        constant = (mean_grad_y_over_std * mean - mean_grad) * inverse_std
        x_factor = -mean_grad_y_over_std * inverse_std
        grad_factor, x_factor, constant = (term.to(x.dtype) for term in (inverse_std, x_factor, constant))
        return torch.addcmul(constant, grad, grad_factor).addcmul_(x, x_factor)


class ReflectionPad(nn.ReflectionPad2d):
    """Reflection padding in the precision of its input: autocast on a CPU would return fp32."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad `x` (n c h w) by reflection."""
        with torch.autocast("cpu", enabled=False):
            return super().forward(x)


def replace_instance_norms(network: nn.Module, make: Callable[[], nn.Module]) -> None:
    """Replace every instance norm of a network by `make()`."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, InstanceNorm):
                setattr(module, name, make())


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return a norm of `channels` channels."""
    return nn.BatchNorm2d(channels) if norm == "batch" else InstanceNorm()


def _norm_by_group_norm(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `x` normalised, its means and its inverse standard deviations (n c).

    A group norm with one channel in each group is an instance norm, and faster than torch's.
    """
    images, channels, height, width = x.shape
    return torch.native_group_norm(x, None, None, images, channels, height * width, channels, EPSILON)


def _norm_by_arithmetic(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same by plain arithmetic, in any memory format."""
    wide, pixels = torch.promote_types(x.dtype, torch.float32), x.shape[2] * x.shape[3]
    mean = x.sum((2, 3), keepdim=True, dtype=wide) / pixels
    centred = x - mean
    inverse_std = (centred.square().sum((2, 3), keepdim=True) / pixels + EPSILON).rsqrt()
    return (centred * inverse_std).to(x.dtype), mean.flatten(1), inverse_std.flatten(1)
