"""A faster form of the generator's last convolution, 7x7 to RGB, for bf16 on a CPU.

A CPU computes convolutions with few output channels at a sixth of its usual rate (measured). So the seven rows of the
kernel become output channels of one 1x7 convolution, whose results are shifted by one row each and summed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cyclegan.models import ResNetGenerator

MIN_CHANNELS = 32  # of the input; with fewer, the intermediate result takes more memory than the network


class RowwiseConv2d(nn.Conv2d):
    """A convolution computed as one with a kernel of one row and more output channels, summed in fp32."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) convolved, without padding or stride."""
        out, channels, height, width = self.weight.shape
        flat = self.weight.permute(2, 0, 1, 3).reshape(height * out, channels, 1, width)
        rows = F.conv2d(x, flat.contiguous(memory_format=torch.channels_last))
        total = torch.zeros((), dtype=torch.float32) if self.bias is None else self.bias.float().view(1, -1, 1, 1)
        for row, part in enumerate(torch.split(rows, out, dim=1)):
            total = total + part[:, :, row : row + x.shape[2] - height + 1]
        return total.to(x.dtype)


def replace_last_convolution(generator: nn.Module) -> None:
    """Replace the last convolution of a ResNet by a rowwise one with the same weights."""
    if isinstance(generator, ResNetGenerator):
        index, last = [(index, layer) for index, layer in enumerate(generator.body) if isinstance(layer, nn.Conv2d)][-1]
        if last.in_channels >= MIN_CHANNELS:
            rowwise = RowwiseConv2d(last.in_channels, last.out_channels, kernel_size=7, bias=last.bias is not None)
            rowwise.weight, rowwise.bias = last.weight, last.bias
            generator.body[index] = rowwise
