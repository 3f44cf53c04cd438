"""How good images are, in numbers that need no downloaded weights: tensors in, numbers out.

Two sets of images are compared by the sliced Wasserstein distance over Laplacian pyramids of Karras et al. 2018
(1710.10196, section 5), an image and its counterpart by the structural similarity of Wang et al. 2004.

Two departures from Karras et al., who compare 16,384 images: a level is described by so many patches in all, drawn
evenly from however many images there are; and both sets are normalised by the real one, where they normalise each by
itself, so that a tint or a lack of contrast counts.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cyclegan.images import Images
from cyclegan.images.pixels import LUMA

FAINTEST = 1e-6  # spread of a channel; a flat one is not divided by zero
PATCH = 7  # pixels, side of what a descriptor sees
COARSEST = 16  # pixels, the least that the short side of a level may have
DESCRIPTORS = 2048  # of each level
DIRECTIONS = 128  # that they are projected on
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # the pyramid's filter (Burt and Adelson 1983)

WINDOW, SIGMA = 11, 1.5  # pixels, of the structural similarity
STEADY_LIGHT, STEADY_CONTRAST = 0.01**2, 0.03**2  # its two constants, for light from 0 to 1

Descriptors = Float[Tensor, "_m _d"]
Floats = Float[np.ndarray, "_k _m"]


class SlicedWasserstein:
    """The distance of images from a fixed set of real ones of the same size; chance is drawn once, by a fixed seed."""

    def __init__(self, real: Images) -> None:
        self.levels = [RealLevel.of(level, seed) for seed, level in enumerate(laplacian_pyramid(real))]

    @torch.no_grad()
    def __call__(self, images: Images) -> list[float]:
        """Return the distance at each level, the finest first; zero for the real images themselves."""
        pyramid = laplacian_pyramid(images)
        return [real.distance(level) for real, level in zip(self.levels, pyramid, strict=True)]


@dataclass(frozen=True)
class RealLevel:
    """What is remembered of a level of the real images."""

    mean: Tensor  # of each channel
    spread: Tensor  # standard deviation of each channel
    directions: Float[Tensor, "_d _k"]
    seed: int
    shadows: Floats  # its descriptors, projected on each direction and sorted

    @classmethod
    def of(cls, level: Images, seed: int) -> "RealLevel":
        """Describe a level of the pyramid of real images."""
        mean = level.mean((0, 2, 3), keepdim=True)
        spread = level.std((0, 2, 3), keepdim=True).clamp_min(FAINTEST)
        random = torch.Generator().manual_seed(seed)
        directions = torch.randn(level.shape[1] * PATCH**2, DIRECTIONS, generator=random).to(level)
        directions = F.normalize(directions, dim=0)
        return cls(mean, spread, directions, seed, shadows(drawn_patches((level - mean) / spread, seed), directions))

    def distance(self, level: Images) -> float:
        """Return the sliced Wasserstein distance of the same level of other images."""
        patches = drawn_patches((level - self.mean) / self.spread, self.seed)
        return float(np.abs(shadows(patches, self.directions) - self.shadows).mean())


def shadows(descriptors: Descriptors, directions: Tensor) -> Floats:
    """Return descriptors projected on each direction, sorted: where two sets lie on a line, that pairs them best."""
    sorted_shadows: Floats = np.sort((descriptors @ directions).T.cpu().numpy())  # 8 times as fast as torch's on a CPU
    return sorted_shadows


def drawn_patches(level: Images, seed: int) -> Descriptors:
    """Return patches from random places, as many from each image as from any other, as descriptors."""
    count, _, height, width = level.shape
    random = torch.Generator().manual_seed(seed)
    image = torch.arange(DESCRIPTORS) % count
    top, left = (torch.randint(side - PATCH + 1, (DESCRIPTORS,), generator=random) for side in (height, width))
    within = torch.arange(PATCH)
    rows, columns = (top[:, None] + within)[:, :, None], (left[:, None] + within)[:, None, :]
    patches: Tensor = level[image[:, None, None], :, rows, columns]
    return patches.flatten(1)


def laplacian_pyramid(images: Images) -> list[Tensor]:
    """Return what each halving loses, the finest first, and at last what is left of at least 16 pixels."""
    levels = []
    while min(images.shape[2:]) // 2 >= COARSEST:
        half = blurred(images)[:, :, ::2, ::2]
        levels.append(images - doubled(half, images))
        images = half
    return [*levels, images]


def doubled(half: Float[Tensor, "n c _h _w"], like: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Return images at twice their size, which is that of others."""
    sparse = torch.zeros_like(like)
    sparse[:, :, ::2, ::2] = half
    return 4 * blurred(sparse)


def blurred(images: Images) -> Images:
    """Smooth images with the pyramid's filter, mirrored at their edges."""
    return smoothed(F.pad(images, [len(BINOMIAL) // 2] * 4, mode="reflect"), BINOMIAL)


def structural_similarity(images: Images, others: Images) -> Float[Tensor, " n"]:
    """Return how alike the structures of each image and its counterpart are in luminance: 1 if they are the same."""
    mean = partial(smoothed, weights=gaussian())
    x, y = luminance(images), luminance(others)
    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + STEADY_LIGHT) / (mean_x**2 + mean_y**2 + STEADY_LIGHT)
    structure = (2 * covariance + STEADY_CONTRAST) / (variance_x + variance_y + STEADY_CONTRAST)
    return (light * structure).mean((1, 2, 3))


def luminance(images: Images) -> Float[Tensor, "n 1 h w"]:
    """Return how light images are, from 0 to 1."""
    light = images.add(1.0).div(2.0)
    return light if images.shape[1] == 1 else torch.einsum("nchw,c->nhw", light, torch.tensor(LUMA).to(light))[:, None]


def gaussian() -> list[float]:
    """Return the window of the structural similarity along one side."""
    bell = [math.exp(-((place - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for place in range(WINDOW)]
    return [height / sum(bell) for height in bell]


def smoothed(images: Float[Tensor, "n c _h _w"], weights: Sequence[float]) -> Float[Tensor, "n c _y _x"]:
    """Average along both sides with weights, where these lie wholly within the image.

    A sum of shifted images: a convolution of each channel by itself takes 20 times as long on a CPU.
    """
    for side in (2, 3):
        length = images.shape[side] - len(weights) + 1
        images = sum_of(images.narrow(side, shift, length) * weight for shift, weight in enumerate(weights))
    return images


def sum_of(images: Iterable[Tensor]) -> Tensor:
    """Return the sum of images, in the order they come."""
    return reduce(Tensor.add_, images)
