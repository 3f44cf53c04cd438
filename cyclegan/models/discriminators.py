"""Discriminators: networks that score the patches of an image, high for real, low for fake.

PatchGAN: Zhu et al. 2017, appendix 7.2, after Isola et al. 2017. In the paper's shorthand, width 64, three layers:
    C64-C128-C256-C512, then one score for each 70x70 patch
A conditional one, that of pix2pix, sees the source of a translation beside it (Isola et al. 2017, section 3.1).
"""

import torch
from torch import Tensor, nn

from cyclegan.images import Images
from cyclegan.models.layers import Norm, norm_layer


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches; with 1, 2, 3, 4 layers the receptive field has 16, 34, 70, 142 pixels a side."""

    def __init__(self, channels: int = 3, *, width: int = 64, layers: int = 3, norm: Norm = "instance") -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, kernel_size=4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            *[
                part
                for level in range(1, layers + 1)
                for part in conv_layers(widths[level - 1], widths[level], norm, stride=2 if level < layers else 1)
            ],
            nn.Conv2d(widths[-1], 1, kernel_size=4, padding=1),
        )

    def forward(self, images: Images) -> Tensor:
        """Map images (n c h w) in [-1, 1] to scores (n 1 h' w'), any real numbers."""
        scores: Tensor = self.body(images)
        return scores


class PixelDiscriminator(nn.Module):
    """Scores every pixel by its colour alone: C64-C128 of 1x1 convolutions (Isola et al. 2017, 6.1.2)."""

    def __init__(self, channels: int = 3, *, width: int = 64, norm: Norm = "instance") -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, kernel_size=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, width * 2, kernel_size=1, bias=False),
            norm_layer(norm, width * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width * 2, 1, kernel_size=1, bias=norm == "instance"),
        )

    def forward(self, images: Images) -> Tensor:
        """Map images (n c h w) in [-1, 1] to scores (n 1 h w), any real numbers."""
        scores: Tensor = self.body(images)
        return scores


def discriminator_input(image: Images, source: Images | None) -> Images:
    """Return what a discriminator scores: the image or, if it is conditional, the source and the image as channels."""
    return image if source is None else torch.cat([source, image], 1)


def conv_layers(channels: int, wider: int, norm: Norm, stride: int) -> list[nn.Module]:
    """C: one layer of the PatchGAN."""
    return [
        nn.Conv2d(channels, wider, kernel_size=4, stride=stride, padding=1, bias=False),
        norm_layer(norm, wider),
        nn.LeakyReLU(0.2, inplace=True),
    ]
