"""U-Net generator.

Isola et al. 2017, section 3.2.1 and appendix 6.1.1, after Ronneberger et al. 2015: strided convolutions down to a
narrow waist, strided transposed ones back up, and at every size what came down is shown to what goes up.
"""

import torch
from torch import Tensor, nn

from cyclegan.images import Images
from cyclegan.models.layers import Norm, norm_layer


class UNetGenerator(nn.Module):
    """Redraw an image at its own size; height and width must divide by 2 ** depth."""

    stride: int  # heights and widths must be multiples of it
    smallest: int  # pixels

    def __init__(
        self,
        channels_in: int = 3,
        channels_out: int = 3,
        *,
        width: int = 64,
        depth: int = 8,
        norm: Norm = "instance",
        dropout: bool = False,
    ) -> None:
        super().__init__()
        self.stride = self.smallest = 2**depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        bare = norm == "instance"  # the reference's rule for the two convolutions that no norm follows
        waist = depth - 1
        self.down = nn.ModuleList(
            nn.Sequential(
                *([nn.LeakyReLU(0.2)] if level > 0 else []),
                nn.Conv2d(
                    widths[level - 1] if level > 0 else channels_in,
                    widths[level],
                    kernel_size=4,
                    stride=2,
                    padding=1,
                    bias=bare and level in (0, waist),
                ),
                *([norm_layer(norm, widths[level])] if 0 < level < waist else []),
            )
            for level in range(depth)
        )
        self.up = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.ConvTranspose2d(
                    widths[level] if level == waist else widths[level] * 2,
                    widths[level - 1] if level > 0 else channels_out,
                    kernel_size=4,
                    stride=2,
                    padding=1,
                    bias=level == 0,
                ),
                *([norm_layer(norm, widths[level - 1])] if level > 0 else [nn.Tanh()]),
                *([nn.Dropout(0.5)] if dropout and 4 <= level < waist else []),
            )
            for level in range(depth)
        )

    def forward(self, images: Images) -> Images:
        """Map images in [-1, 1] to images of the same size in [-1, 1]."""
        seen: list[Tensor] = []
        x: Tensor = images
        for descend in self.down:
            x = descend(x)
            seen.append(x)
        x = self.up[-1](seen.pop())  # the waist has nothing beside it
        for ascend in reversed(self.up[:-1]):
            x = ascend(torch.cat([seen.pop(), x], dim=1))
        return x
