"""An endless stream of batches; each follows from its number alone."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from cyclegan.config import Config
from cyclegan.data.augment import Augmentation
from cyclegan.data.domains import Domain
from cyclegan.data.samples import sampler
from cyclegan.images import Pixels, PixelValues, resized, with_bits
from cyclegan.prefetch import map_ahead


class Batch(NamedTuple):
    """The samples of a step."""

    a: PixelValues
    b: PixelValues
    is_pair: Bool[Tensor, " n"]


def batches(domain_a: Domain, domain_b: Domain, config: Config, first: int, every: int = 1) -> Iterator[Batch]:
    """Yield every `every`-th batch of A and B from number `first` on, prepared ahead by worker threads."""
    augment, sample_of = Augmentation(config.data), sampler(domain_a, domain_b, config)
    size, seed = config.training.batch_size, config.training.seed

    def crops(draw: int) -> tuple[Pixels, Pixels, bool]:
        a, b, is_pair = sample_of(draw)
        pixels_a, pixels_b = domain_a.pictures[a], domain_b.pictures[b]
        if is_pair:  # equal in shape and seed, both are cropped and flipped alike
            pixels_b = resized(pixels_b, *pixels_a.shape[1::-1])
        return augment(pixels_a, [seed, 0, draw]), augment(pixels_b, [seed, 0 if is_pair else 1, draw]), is_pair

    def batch(number: int) -> Batch:
        a, b, is_pair = zip(*map(crops, range(number * size, (number + 1) * size)), strict=True)
        return Batch(stacked(a), stacked(b), torch.tensor(is_pair))

    return map_ahead(batch, count(first, every), workers=config.machine.workers)


def stacked(crops: Sequence[Pixels]) -> PixelValues:
    """Return crops of one size as a batch, of 16 bits if one of them has these."""
    bits = 8 * max(crop.dtype.itemsize for crop in crops)
    return torch.from_numpy(np.stack([with_bits(crop, bits) for crop in crops]).transpose(0, 3, 1, 2).copy())


def batches_per_epoch(domain_a: Domain, domain_b: Domain, batch_size: int) -> int:
    """Return the batches of an epoch: as many samples as the larger folder has images."""
    return -(-max(len(domain_a.pictures), len(domain_b.pictures)) // batch_size)
