"""Augmentation: random crops, flips and the other transforms of the settings."""

import os
import threading

import numpy as np

from cyclegan.config import DataConfig
from cyclegan.images import Pixels

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
import albumentations as A
import cv2

cv2.setNumThreads(0)  # the loader has threads of its own

MAX_UINT16 = 65535


class Augmentation:
    """Random crops of pictures, the same for the same seed."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self.thread = threading.local()  # a composition holds its random state, so each thread needs its own

    def __call__(self, pixels: Pixels, seed: list[int]) -> Pixels:
        """Return a crop of `size` x `size` pixels."""
        if not hasattr(self.thread, "compose"):
            self.thread.compose = compose(self.config)
        self.thread.compose.set_random_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        if pixels.dtype == np.uint8 or not self.config.color_jitter:
            crop: Pixels = self.thread.compose(image=pixels)["image"]
            return crop
        scaled = self.thread.compose(image=pixels.astype(np.float32) / MAX_UINT16)[
            "image"
        ]  # its jitter does not take uint16
        jittered: Pixels = np.rint(scaled * MAX_UINT16).astype(np.uint16)
        return jittered


def compose(config: DataConfig) -> A.Compose:
    """Return the transforms of the settings; by default the paper's crop and flip."""
    transforms: list[A.BasicTransform] = []
    if config.rotate:
        transforms.append(A.Rotate(limit=config.rotate, border_mode=cv2.BORDER_REFLECT_101, p=1.0))
    transforms.append(A.RandomCrop(height=config.size, width=config.size))
    if config.flip:
        transforms.append(A.HorizontalFlip(p=config.flip))
    if config.flip_vertical:
        transforms.append(A.VerticalFlip(p=config.flip_vertical))
    if config.quarter_turns:
        transforms.append(A.RandomRotate90(p=config.quarter_turns))
    if config.color_jitter:
        factors = (1 - config.color_jitter, 1 + config.color_jitter)
        transforms.append(A.ColorJitter(brightness=factors, contrast=factors, saturation=factors, hue=(0, 0), p=1.0))
    return A.Compose(transforms)
