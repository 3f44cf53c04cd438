"""An endless stream of unpaired batches; each follows from its number alone."""

from collections.abc import Iterator
from itertools import count

import numpy as np
import torch
from torch import Tensor

from cyclegan.config import Config
from cyclegan.data.augment import Augmentation
from cyclegan.data.domains import Domain
from cyclegan.data.folders import picture_index
from cyclegan.images import PixelValues, with_bits
from cyclegan.prefetch import map_ahead

Batch = tuple[PixelValues, PixelValues]


def batches(domain_a: Domain, domain_b: Domain, config: Config, first: int, every: int = 1) -> Iterator[Batch]:
    """Yield every `every`-th batch of A and B from number `first` on, prepared ahead by worker threads."""
    augment = Augmentation(config.data)
    size, seed = config.training.batch_size, config.training.seed

    def batch_of(domain: Domain, stream: int, number: int) -> Tensor:
        crops = [
            augment(domain.pictures[picture_index(seed, stream, draw, len(domain.pictures))], [seed, stream, draw])
            for draw in range(number * size, (number + 1) * size)
        ]
        bits = 8 * max(crop.dtype.itemsize for crop in crops)
        return torch.from_numpy(np.stack([with_bits(crop, bits) for crop in crops]).transpose(0, 3, 1, 2).copy())

    def batch(number: int) -> Batch:
        return batch_of(domain_a, 0, number), batch_of(domain_b, 1, number)

    return map_ahead(batch, count(first, every), workers=config.machine.workers)


def batches_per_epoch(domain_a: Domain, domain_b: Domain, batch_size: int) -> int:
    """Return the batches of an epoch: as many samples as the larger folder has images."""
    return -(-max(len(domain_a.pictures), len(domain_b.pictures)) // batch_size)
