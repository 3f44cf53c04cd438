"""ResNet generator.

Zhu et al. 2017, appendix 7.2, after Johnson et al. 2016. In the paper's shorthand, width 64:
    c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-3
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cyclegan.images import Images
from cyclegan.models.layers import Norm, ReflectionPad, norm_layer


class ResNetGenerator(nn.Module):
    """Redraw an image at its own size; height and width must divide by 4 and be at least 8."""

    stride: int = 4  # heights and widths must be multiples of it
    smallest: int = 8  # pixels; below it, reflection has nothing to reflect
    activation_checkpointing: bool = False  # whether going backward computes again what it needs (1604.06174)

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        *,
        width: int = 64,
        blocks: int = 9,
        norm: Norm = "instance",
        dropout: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.dropout = dropout
        self.body = nn.Sequential(
            ReflectionPad(3),
            nn.Conv2d(channels_in, width, kernel_size=7, bias=False),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
            *down(width, width * 2, norm),
            *down(width * 2, width * 4, norm),
            *[ResidualBlock(width * 4, norm, dropout) for _ in range(blocks)],
            *up(width * 4, width * 2, norm),
            *up(width * 2, width, norm),
            ReflectionPad(3),
            nn.Conv2d(width, channels_out, kernel_size=7),
            nn.Tanh(),  # back to [-1, 1]
        )

    def forward(self, images: Images) -> Images:
        """Map images in [-1, 1] to images of the same size in [-1, 1]."""
        if not (self.activation_checkpointing and torch.is_grad_enabled()):
            at_once: Tensor = self.body(images)
            return at_once
        together = len(images) if images.is_cuda else 1  # there each call has its price, and compiling it another
        return torch.cat([self.frugally(some) for some in torch.split(images, together)])

    def frugally(self, images: Images) -> Images:
        """Map images, keeping for the gradient no more than what goes into each part."""
        redrawn: Tensor = images
        for part in self.parts():
            redrawn = checkpoint(part, redrawn, use_reentrant=False, preserve_rng_state=self.dropout)
        return redrawn

    def parts(self) -> list[nn.Module]:
        """Return the body in parts, none of which keeps much more for its gradient: down, a few blocks each, up."""
        first = next(place for place, layer in enumerate(self.body) if isinstance(layer, ResidualBlock))
        last, few = first + self.blocks, math.isqrt(self.blocks)
        places = [0, *range(first, last, few), last, len(self.body)]
        return [self.body[place:end] for place, end in pairwise(places)]


class ResidualBlock(nn.Module):
    """R: two 3x3 convolutions on reflected borders, added to what came in."""

    def __init__(self, width: int, norm: Norm, dropout: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReflectionPad(1),
            nn.Conv2d(width, width, kernel_size=3, bias=False),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            ReflectionPad(1),
            nn.Conv2d(width, width, kernel_size=3, bias=False),
            norm_layer(norm, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n width h w) plus what the convolutions make of it."""
        change: Tensor = self.body(x)
        return x + change


def down(channels: int, wider: int, norm: Norm) -> list[nn.Module]:
    """d: halve height and width."""
    return [
        nn.Conv2d(channels, wider, kernel_size=3, stride=2, padding=1, bias=False),
        norm_layer(norm, wider),
        nn.ReLU(inplace=True),
    ]


def up(channels: int, narrower: int, norm: Norm) -> list[nn.Module]:
    """u: double height and width."""
    return [
        nn.ConvTranspose2d(channels, narrower, kernel_size=3, stride=2, padding=1, output_padding=1, bias=False),
        norm_layer(norm, narrower),
        nn.ReLU(inplace=True),
    ]
