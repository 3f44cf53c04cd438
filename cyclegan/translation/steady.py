"""Two ways to a steadier clip: frames blended along their motion, and norms that remember the frames before.

Blending lowers flicker by half and more, and softens what was drawn. Norms that remember keep colours from jumping when
something comes into view, and leave the rest of the flicker as it is.
"""

from copy import deepcopy

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from cyclegan.models.layers import InstanceNorm
from cyclegan.translation.frames import Pixels
from cyclegan.translation.motion import Motion, shrunk

SAME = 20.0  # grey levels by which a place in the source may change and still count as the same thing

EPSILON = 1e-5  # added to the variance, as the norm of a single picture does


class Steadier:
    """Blends every redrawn frame with the one before it, moved along, wherever the source shows the same thing.

    `keep`, at least 0 and below 1, is how much of the frame before is in the next: 0.5 about halves what flickers.
    """

    def __init__(self, keep: float) -> None:
        self.keep = _fraction(keep)
        self._last: tuple[Pixels, Float32[np.ndarray, "h w 3"]] | None = None

    def __call__(self, source: Pixels, output: Pixels) -> Pixels:
        """Take the next frame of the source and what was drawn from it; return the latter, steadier."""
        seen, drawn = shrunk(source), output.astype(np.float32)
        if self._last is not None:
            seen_before, drawn_before = self._last
            motion = Motion.between(seen_before, seen)
            changed = np.abs(seen - motion.moved(seen_before.astype(np.float32))).mean(-1)
            same = np.exp(-((cv2.GaussianBlur(changed, (0, 0), 2) / SAME) ** 2)) * motion.followed
            weight = self.keep * cv2.resize(same, drawn.shape[1::-1])
            drawn += weight[..., None] * (motion.moved(drawn_before) - drawn)
        self._last = seen, drawn
        return drawn.round().clip(0, 255).astype(np.uint8)


class SteadyNorm(nn.Module):
    """An instance norm whose means and variances follow those of successive frames slowly.

    `keep`, at least 0 and below 1, is how much of them stays from one frame to the next; the first frame's are its own.
    """

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = _fraction(keep)
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


def _fraction(keep: float) -> float:
    if not 0 <= keep < 1:
        raise ValueError(f"keep is {keep}; it must be at least 0 and below 1")
    return keep
