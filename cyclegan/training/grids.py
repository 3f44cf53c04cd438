"""Grids of images: real | fake | cycled, as PNG."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from cyclegan.atomic import atomic_write
from cyclegan.checkpoints.records import SAMPLE_GAP
from cyclegan.data.folders import evenly_spaced
from cyclegan.directions import DIRECTIONS
from cyclegan.images import Images, Pixels, to_images, to_pixels, with_channels
from cyclegan.training.state import TrainState


def center_crops(pictures: list[Pixels], count: int, size: int) -> Images:
    """Return the center crops of `count` pictures, evenly chosen, as images."""
    return torch.cat([to_images(center_crop(picture, size)) for picture in evenly_spaced(pictures, count)])


def center_crop(pixels: Pixels, size: int) -> Pixels:
    """Return the square of `size` pixels in the middle."""
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    return pixels[top : top + size, left : left + size]


def rgb_pixels(image: Images) -> Pixels:
    """Return an image of one or three channels as RGB pixels."""
    return with_channels(to_pixels(image[0]), 3)


def sample_grid(state: TrainState, real_a: Images, real_b: Float[Tensor, "m _c h w"]) -> Pixels:
    """Return a picture whose rows are real_a, fake_b, cycled_a and, beside them, real_b, fake_a, cycled_b.

    A domain of few pictures has fewer rows than the other.
    """
    columns = []
    with state.eval_generators() as generators:
        for (direction, inverse, *_), real in zip(DIRECTIONS, (real_a, real_b), strict=True):
            fake = one_by_one(generators[direction], real)
            columns.append(triples(real, fake, one_by_one(generators[inverse], fake)))
    height = max(column.shape[0] for column in columns)
    columns = [np.pad(c, ((0, height - len(c)), (0, 0), (0, 0)), constant_values=255) for c in columns]
    white = np.full((height, SAMPLE_GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([columns[0], white, columns[1]], axis=1)


def one_by_one(network: Any, images: Images) -> Images:
    """Pass images through a network one at a time, so that memory does not grow with their number."""
    return torch.cat([network(image) for image in torch.split(images, 1)])


def triples(real: Images, fake: Images, cycled: Images) -> Pixels:
    """Return a picture with a row real | fake | cycled for each of the images."""
    columns = [
        np.concatenate([rgb_pixels(image) for image in torch.split(images, 1)]) for images in (real, fake, cycled)
    ]
    return np.concatenate(columns, axis=1)


def save_grid(path: Path, grid: Pixels) -> None:
    """Write a grid as PNG, whole."""
    with atomic_write(path) as aside:
        Image.fromarray(grid).save(aside, format="PNG")
