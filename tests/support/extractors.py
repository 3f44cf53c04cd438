"""A small network in place of Inception, and folders of pictures to compare with it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

SIDE = 32  # pixels


class SmallExtractor(nn.Module):
    """An extractor of 6 features."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 5, stride=3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, levels: Tensor) -> Tensor:
        """Look."""
        return self.body((levels - 128) / 64)


def save_program(network: nn.Module, path: Path, side: int = SIDE) -> Path:
    example = torch.zeros(2, 3, side, side)
    program = torch.export.export(network.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, path)
    return path


def draw(folder: Path, number: int, seed: int, side: int = SIDE, brightness: float = 1.0) -> Path:
    """Fill a folder with coarse noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for place in range(number):
        levels = (random.integers(0, 256, (4, 4, 3)) * brightness).astype(np.uint8)
        Image.fromarray(levels).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{place}.png")
    return folder
