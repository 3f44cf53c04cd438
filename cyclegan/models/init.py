"""The first weights: normal, of mean 0 and standard deviation 0.02 (Zhu et al. 2017, appendix 7.1)."""

import torch
from torch import nn


def initialize(network: nn.Module, *, gain: float = 0.02, random: torch.Generator) -> None:
    """Draw the weights of every convolution from N(0, gain), of every batch norm from N(1, gain); zero the biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, gain, generator=random)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, gain, generator=random)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
