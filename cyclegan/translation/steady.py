"""A generator for clips: its norms remember the frames before, so that its colours do not jump between neighbours."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cyclegan.models.layers import InstanceNorm

EPSILON = 1e-5  # added to the variance, as the norm of a single picture does


class SteadyNorm(nn.Module):
    """An instance norm whose means and variances follow those of successive frames slowly.

    `keep`, at least 0 and below 1, is how much of them stays from one frame to the next; the first frame's are its own.
    """

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep
        self.remembered: tuple[Tensor, Tensor] | None = None  # mean and variance, 1 c 1 1

    def forward(self, x: Float[Tensor, "1 c h w"]) -> Float[Tensor, "1 c h w"]:
        """Return the next frame's features normalised by what is remembered, its own statistics among it."""
        variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0, keepdim=True)
        if self.remembered is not None:
            mean = mean.lerp(self.remembered[0], self.keep)
            variance = variance.lerp(self.remembered[1], self.keep)
        self.remembered = mean, variance
        return ((x - mean) * torch.rsqrt(variance + EPSILON)).to(x.dtype)

    def forget(self) -> None:
        """Begin a new clip, or a new scene."""
        self.remembered = None


def steadied(generator: nn.Module, keep: float) -> nn.Module:
    """Return a copy of a generator, sharing its weights, for the frames of one clip in their order, one at a time."""
    if not 0 <= keep < 1:
        raise ValueError(f"keep is {keep}; it must be at least 0 and below 1")
    shared = {id(tensor): tensor for tensor in (*generator.parameters(), *generator.buffers())}
    steady = deepcopy(generator, shared)
    for module in list(steady.modules()):
        for name, child in module.named_children():
            if isinstance(child, InstanceNorm):
                setattr(module, name, SteadyNorm(keep))
    return steady


def forget(generator: nn.Module) -> None:
    """Let a steadied generator begin a new clip, or a new scene."""
    for module in generator.modules():
        if isinstance(module, SteadyNorm):
            module.forget()
