"""From a resized picture to a training image: crop, mirror and whatever else the settings ask for."""

import os
import threading

import numpy as np

from cyclegan.config import DataConfig
from cyclegan.images import Pixels

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
import albumentations as A
import cv2

cv2.setNumThreads(0)  # our own threads are enough

WHITE = 65535  # of 16 bits


class Augmentation:
    """Cuts training images out of pictures; what it does to a picture follows from the seed it is given."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.own = threading.local()  # a composition holds its random state, so each thread has one

    def __call__(self, pixels: Pixels, seed: list[int]) -> Pixels:
        """Return a crop of `size` x `size` pixels."""
        if not hasattr(self.own, "compose"):
            self.own.compose = compose(self.config)
        self.own.compose.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        if pixels.dtype == np.uint8 or not self.config.color_jitter:
            crop: Pixels = self.own.compose(image=pixels)["image"]
            return crop
        shares = self.own.compose(image=pixels.astype(np.float32) / WHITE)["image"]  # its jitter takes no 16 bits
        jittered: Pixels = np.rint(shares * WHITE).astype(np.uint16)
        return jittered


def compose(config: DataConfig) -> A.Compose:
    """Return the paper's crop and flip, and the further augmentations that the settings ask for."""
    steps: list[A.BasicTransform] = []
    if config.rotate:
        steps.append(A.Rotate(limit=config.rotate, border_mode=cv2.BORDER_REFLECT_101, p=1.0))
    steps.append(A.RandomCrop(height=config.size, width=config.size))
    if config.flip:
        steps.append(A.HorizontalFlip(p=config.flip))
    if config.flip_vertical:
        steps.append(A.VerticalFlip(p=config.flip_vertical))
    if config.quarter_turns:
        steps.append(A.RandomRotate90(p=config.quarter_turns))
    if config.color_jitter:
        spread = (1 - config.color_jitter, 1 + config.color_jitter)
        steps.append(A.ColorJitter(brightness=spread, contrast=spread, saturation=spread, hue=(0, 0), p=1.0))
    return A.Compose(steps)
