"""The sizes of a real call and of its dry run, and pictures to try things on."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TINY: dict[str, dict[str, Any]] = {
    "data": {"size": 32},
    "generator": {"width": 4, "blocks": 1},
    "discriminator": {"width": 4, "layers": 2},
    "machine": {"threads": 1, "workers": 0},
}


@dataclass(frozen=True)
class Sizes:
    """Everything that a dry run does smaller."""

    settings: dict[str, dict[str, Any]]  # section -> key -> value
    steps: int  # of a training
    warm_up: int  # steps before a measurement; ours records its fourth
    turns: int  # of a measurement
    side: int  # pixels, of training images and of small pictures
    pictures: int  # in the folder whose translation is timed
    large: tuple[tuple[int, int], tuple[int, int]]  # width and height of the two large pictures, in pixels
    matrix: int  # side of the matrices whose product is timed
    workers: int  # processes beside one another

    @property
    def flags(self) -> list[str]:
        """The settings as options of `cyclegan train`."""
        pairs = [(f"{section}.{key}", value) for section, keys in self.settings.items() for key, value in keys.items()]
        return [part for name, value in pairs for part in ("--set", f"{name}={value}")]


REAL = Sizes({"data": {"size": 256}}, 20, 5, 30, 256, 1000, ((6000, 4000), (12_000, 8400)), 8192, 5)
TOY = Sizes(TINY, 6, 1, 2, 32, 4, ((60, 40), (120, 84)), 256, 2)


def draw_folder(folder: Path, count: int, width: int, height: int) -> Path:
    """Write JPEG pictures of coarse colours; at most 16 are different."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        if number < 16:
            coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=92)
        else:
            shutil.copy(folder / f"{number % 16:05}.jpg", path)
    return folder
