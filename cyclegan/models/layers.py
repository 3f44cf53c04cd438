"""Layers that the networks share: the instance norm, reflection padding."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Norm = Literal["instance", "batch"]

EPSILON = 1e-5  # added to the variance


class InstanceNorm(nn.Module):
    """Normalise every channel of every image to mean 0 and variance 1, without learned scale (Ulyanov et al. 2016).

    The numbers are those of `F.instance_norm`; the memory format of the input stays. A convolution before it needs no
    bias, which the norm would subtract again.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x` (n c h w) over h and w, in its own precision; sums are computed in fp32 or better."""
        if torch.compiler.is_compiling():
            return _norm_by_arithmetic(x)  # the compiler fuses it into one kernel
        return _norm_by_group_norm(x) if x.is_contiguous() else _norm_by_batch_norm(x)


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


def _norm_by_group_norm(x: Tensor) -> Tensor:
    """Return `x` normalised, by a group norm with one channel in each group.

    It is faster than torch's instance norm, but on CUDA it refuses channels last, and on a CPU its backward pass takes
    sixty times as long there.
    """
    images, channels, height, width = x.shape
    normalized: Tensor = torch.native_group_norm(x, None, None, images, channels, height * width, channels, EPSILON)[0]
    return normalized


def _norm_by_batch_norm(x: Tensor) -> Tensor:
    """Return the same in any memory format, by a batch norm of each image, which sums over its pixels alone."""
    scale = x.new_ones(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32))  # means get its precision
    offset = torch.zeros_like(scale)
    images = [
        torch.native_batch_norm(image, scale, offset, None, None, True, 0.0, EPSILON)[0] for image in x.chunk(len(x))
    ]
    return images[0] if len(images) == 1 else torch.cat(images)


def _norm_by_arithmetic(x: Tensor) -> Tensor:
    """Return the same by plain arithmetic."""
    wide, pixels = torch.promote_types(x.dtype, torch.float32), x.shape[2] * x.shape[3]
    centred = x - x.sum((2, 3), keepdim=True, dtype=wide) / pixels
    variance = centred.square().sum((2, 3), keepdim=True) / pixels
    return (centred * (variance + EPSILON).rsqrt()).to(x.dtype)
