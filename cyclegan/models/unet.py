"""U-Net generator.

Isola et al. 2017, section 3.2.1 and appendix 6.1.1, after Ronneberger et al. 2015: strided convolutions down to a
bottleneck, strided transposed ones back up, with a skip connection at every size.
"""

import torch
from torch import Tensor, nn

from cyclegan.images import Images
from cyclegan.models.layers import Norm, norm_layer


class UNetGenerator(nn.Module):
    """Translates images at their own size; height and width must divide by 2 ** depth."""

    stride: int  # heights and widths must be multiples of it
    min_size: int  # pixels

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        depth: int = 8,
        norm: Norm = "instance",
        dropout: bool = False,
    ) -> None:
        super().__init__()
        self.stride = self.min_size = 2**depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        has_bias = norm == "instance"  # the reference's rule for the two convolutions without a norm behind them
        bottleneck = depth - 1
        self.down = nn.ModuleList(
            nn.Sequential(
                *([nn.LeakyReLU(0.2)] if level > 0 else []),
                nn.Conv2d(
                    widths[level - 1] if level > 0 else in_channels,
                    widths[level],
                    kernel_size=4,
                    stride=2,
                    padding=1,
                    bias=has_bias and level in (0, bottleneck),
                ),
                *([norm_layer(norm, widths[level])] if 0 < level < bottleneck else []),
            )
            for level in range(depth)
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.ConvTranspose2d(
                    widths[level] if level == bottleneck else widths[level] * 2,
                    widths[level - 1] if level > 0 else out_channels,
                    kernel_size=4,
                    stride=2,
                    padding=1,
                    bias=level == 0,
                ),
                *([norm_layer(norm, widths[level - 1])] if level > 0 else [nn.Tanh()]),
                *([nn.Dropout(0.5)] if dropout and 4 <= level < bottleneck else []),
            )
            for level in range(depth)
        )

    def forward(self, images: Images) -> Images:
        """Map images in [-1, 1] to images of the same size in [-1, 1]."""
        skips: list[Tensor] = []
        x: Tensor = images
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.up[-1](skips.pop())  # the bottleneck has no skip connection
        for up in reversed(self.up[:-1]):
            x = up(torch.cat([skips.pop(), x], dim=1))
        return x
