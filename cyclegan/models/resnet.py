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
    """Translates images at their own size; height and width must divide by 4 and be at least 8."""

    stride: int = 4  # heights and widths must be multiples of it
    min_size: int = 8  # pixels; reflection padding needs them
    activation_checkpointing: bool = False  # recompute activations in the backward pass (1604.06174)

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
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
            nn.Conv2d(in_channels, width, kernel_size=7, bias=False),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
            *down(width, width * 2, norm),
            *down(width * 2, width * 4, norm),
            *[ResidualBlock(width * 4, norm, dropout) for _ in range(blocks)],
            *up(width * 4, width * 2, norm),
            *up(width * 2, width, norm),
            ReflectionPad(3),
            nn.Conv2d(width, out_channels, kernel_size=7),
            nn.Tanh(),  # back to [-1, 1]
        )

    def forward(self, images: Images) -> Images:
        """Map images in [-1, 1] to images of the same size in [-1, 1]."""
        if not (self.activation_checkpointing and torch.is_grad_enabled()):
            output: Tensor = self.body(images)
            return output
        # On a CPU one image at a time keeps the least; on CUDA every call costs a launch and a compilation.
        batch_size = len(images) if images.is_cuda else 1
        return torch.cat([self.checkpointed(batch) for batch in torch.split(images, batch_size)])

    def checkpointed(self, images: Images) -> Images:
        """Map images, keeping for the backward pass only the input of each segment."""
        x: Tensor = images
        for segment in self.segments():
            x = checkpoint(segment, x, use_reentrant=False, preserve_rng_state=self.dropout)
        return x

    def segments(self) -> list[nn.Module]:
        """Return the body in segments of like memory: down, about sqrt(blocks) residual blocks each, up."""
        (first, last), step = self.residual_range, math.isqrt(self.blocks)
        bounds = [0, *range(first, last, step), last, len(self.body)]
        return [self.body[start:end] for start, end in pairwise(bounds)]

    @property
    def residual_range(self) -> tuple[int, int]:
        """The indices in the body of the first residual block and of the first layer of the decoder."""
        first = next(index for index, layer in enumerate(self.body) if isinstance(layer, ResidualBlock))
        return first, first + self.blocks

    @property
    def encoder(self) -> nn.Sequential:
        """The layers before the residual blocks: c7s1, and two that halve height and width."""
        return self.body[: self.residual_range[0]]

    @property
    def residual_blocks(self) -> list["ResidualBlock"]:
        """The residual blocks."""
        return [layer for layer in self.body if isinstance(layer, ResidualBlock)]

    @property
    def decoder(self) -> nn.Sequential:
        """The layers after the residual blocks: two that double height and width, c7s1 and tanh."""
        return self.body[self.residual_range[1] :]


class ResidualBlock(nn.Module):
    """R: two 3x3 convolutions with reflection padding, added to the input."""

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
        """Return `x` (n width h w) plus its residual."""
        residual: Tensor = self.body(x)
        return x + residual


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
