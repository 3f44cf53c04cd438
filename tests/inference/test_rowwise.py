"""The rowwise convolution is the convolution."""

import pytest
import torch
from torch import nn

from cyclegan.inference.rowwise import MIN_CHANNELS, RowwiseConv2d, replace_last_convolution
from cyclegan.models import ResNetGenerator


@pytest.mark.parametrize("width", [MIN_CHANNELS, MIN_CHANNELS - 1])
def test_separating_the_last_convolution_changes_no_output(width):
    torch.manual_seed(0)
    generator = ResNetGenerator(width=width, blocks=1).double()
    image = torch.rand(2, 3, 12, 20, dtype=torch.float64) * 2 - 1
    expected, names = generator(image), list(generator.state_dict())
    replace_last_convolution(generator)
    rowwise = [layer for layer in generator.modules() if isinstance(layer, RowwiseConv2d)]
    assert len(rowwise) == (width >= MIN_CHANNELS)
    torch.testing.assert_close(generator(image), expected, rtol=0, atol=1e-5)
    assert list(generator.state_dict()) == names


def test_it_is_as_accurate_as_the_convolution_in_bf16():
    torch.manual_seed(0)
    plain = nn.Conv2d(64, 3, kernel_size=7)
    rowwise = RowwiseConv2d(64, 3, kernel_size=7)
    rowwise.load_state_dict(plain.state_dict())
    images = torch.randn(1, 64, 40, 40)
    exact = plain(images)
    errors = [
        (network.bfloat16()(images.bfloat16()).float() - exact).square().mean().sqrt() for network in (plain, rowwise)
    ]
    assert errors[1] < 1.2 * errors[0]
