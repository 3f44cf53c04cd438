"""Drawn landscapes in summer and in winter: two domains with known true counterparts.

A scene is two maps: the surface at each pixel, and its brightness. A season is a color ramp for each surface, from dark
to bright; so one scene gives the same landscape in both seasons, pixel by pixel.
"""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SEASONS = ("summer", "winter")
SUPERSAMPLING = 3  # scenes are drawn larger by this factor, then shrunk, against aliasing

Field = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


class Surface(IntEnum):
    """The surface at a pixel."""

    SKY = 0
    SUN = 1
    CLOUD = 2
    MOUNTAIN = 3
    MEADOW = 4
    CONIFER = 5
    TREE = 6
    TRUNK = 7
    WALL = 8
    ROOF = 9
    WINDOW = 10


# light from 0 to 1 -> red, green, blue
Ramp = tuple[tuple[float, tuple[int, int, int]], ...]
RAMPS: dict[Surface, tuple[Ramp, Ramp]] = {
    Surface.SKY: (
        ((0.0, (44, 118, 222)), (1.0, (178, 222, 250))),
        ((0.0, (142, 112, 168)), (0.6, (232, 164, 164)), (1.0, (252, 204, 164))),
    ),
    Surface.SUN: (
        ((0.0, (255, 222, 70)), (1.0, (255, 240, 130))),
        ((0.0, (250, 110, 70)), (1.0, (255, 140, 90))),
    ),
    Surface.CLOUD: (
        ((0.0, (214, 230, 246)), (1.0, (255, 255, 255))),
        ((0.0, (178, 128, 160)), (1.0, (255, 222, 196))),
    ),
    Surface.MOUNTAIN: (
        ((0.0, (56, 74, 88)), (1.0, (150, 156, 146))),
        ((0.0, (70, 84, 126)), (0.35, (104, 122, 164)), (0.65, (226, 234, 248)), (1.0, (250, 252, 255))),
    ),
    Surface.MEADOW: (
        ((0.0, (36, 96, 40)), (0.5, (92, 158, 48)), (1.0, (186, 206, 84))),
        ((0.0, (108, 132, 180)), (0.35, (150, 174, 214)), (0.65, (232, 240, 250)), (1.0, (255, 255, 255))),
    ),
    Surface.CONIFER: (
        ((0.0, (8, 40, 34)), (1.0, (44, 104, 62))),
        ((0.0, (22, 42, 58)), (0.35, (36, 68, 84)), (0.6, (214, 226, 240)), (1.0, (250, 252, 255))),
    ),
    Surface.TREE: (
        ((0.0, (30, 84, 20)), (1.0, (150, 200, 50))),
        ((0.0, (110, 84, 110)), (1.0, (240, 220, 236))),
    ),
    Surface.TRUNK: (
        ((0.0, (70, 44, 26)), (1.0, (112, 76, 46))),
        ((0.0, (52, 40, 48)), (1.0, (86, 68, 76))),
    ),
    Surface.WALL: (
        ((0.0, (122, 74, 40)), (1.0, (190, 128, 72))),
        ((0.0, (84, 54, 52)), (1.0, (140, 92, 76))),
    ),
    Surface.ROOF: (
        ((0.0, (150, 30, 26)), (1.0, (226, 74, 48))),
        ((0.0, (190, 204, 232)), (1.0, (255, 255, 255))),
    ),
    Surface.WINDOW: (
        ((0.0, (36, 44, 64)), (1.0, (60, 74, 100))),
        ((0.0, (255, 190, 60)), (1.0, (255, 226, 120))),
    ),
}


@dataclass
class Scene:
    """A landscape without a season; `x` runs from 0 at the left to 1, `y` from 0 at the top to 1."""

    x: Field
    y: Field
    surfaces: NDArray[np.uint8]
    light: Field  # brightness

    def paint(self, where: Mask, surface: Surface, light: Field | float) -> None:
        """Draw a surface on part of the scene."""
        self.surfaces[where] = surface
        self.light[where] = np.broadcast_to(np.asarray(light, np.float32), where.shape)[where]


def draw_pair(seed: int, index: int, side: int) -> tuple[Image.Image, Image.Image]:
    """Draw one scene in both domains, each `side` x `side` pixels."""
    scene = draw_scene(np.random.default_rng([seed, index]), side * SUPERSAMPLING)
    summer, winter = (colorize(scene, season).reduce(SUPERSAMPLING) for season in range(len(SEASONS)))
    return summer, winter


def draw_domains(folder: Path, *, side: int, training: int, held_out: int, seed: int) -> None:
    """Write `training` unpaired pictures for each domain, and `held_out` other scenes in both, under the same names."""
    for part in (folder, folder / "held_out"):
        for domain in SEASONS:
            (part / domain).mkdir(parents=True, exist_ok=True)
    for index in range(2 * training):
        season = index % len(SEASONS)
        draw_pair(seed, index, side)[season].save(folder / SEASONS[season] / f"{index:04}.png")
    for index in range(2 * training, 2 * training + held_out):
        for domain, picture in zip(SEASONS, draw_pair(seed, index, side), strict=True):
            picture.save(folder / "held_out" / domain / f"{index:04}.png")


def colorize(scene: Scene, season: int) -> Image.Image:
    """Return a scene in the colors of a season."""
    table = np.zeros((len(Surface), 256, 3), np.uint8)
    for surface, ramps in RAMPS.items():
        lights, colors = zip(*ramps[season], strict=True)
        channels = [np.interp(np.linspace(0, 1, 256), lights, channel) for channel in zip(*colors, strict=True)]
        table[surface] = np.stack(channels, axis=-1).round()
    light = (scene.light.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(table[scene.surfaces, light])


def draw_scene(random: np.random.Generator, side: int) -> Scene:
    """Draw a random landscape, from the sky at the back to the trees in front."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    scene = Scene(x, y, np.zeros((side, side), np.uint8), np.zeros((side, side), np.float32))
    horizon = random.uniform(0.4, 0.55)
    add_sky(scene, random, horizon)
    add_mountains(scene, random, horizon)
    add_hill(scene, random, horizon + 0.03)
    add_trees(scene, random, horizon + 0.1, count=int(random.integers(3, 8)), height=0.14)
    add_hill(scene, random, horizon + 0.22)
    if random.random() < 0.6:
        add_hut(scene, random.uniform(0.15, 0.75), horizon + random.uniform(0.3, 0.36), random.uniform(0.12, 0.16))
    add_trees(scene, random, horizon + 0.34, count=int(random.integers(2, 6)), height=0.3)
    return scene


def add_sky(scene: Scene, random: np.random.Generator, horizon: float) -> None:
    """Draw a sky that pales towards the horizon, a low sun on the left, and clouds."""
    scene.paint(scene.y >= 0, Surface.SKY, scene.y / horizon)
    sun_x, sun_y, radius = random.uniform(0.08, 0.5), random.uniform(0.1, 0.25), random.uniform(0.045, 0.07)
    scene.paint(disc(scene, sun_x, sun_y, radius), Surface.SUN, 1 - (scene.y - sun_y + radius) / radius / 2)
    for _ in range(random.integers(0, 4)):
        left, bottom, size = random.uniform(0, 0.9), random.uniform(0.1, 0.3), random.uniform(0.03, 0.06)
        for step in range(random.integers(3, 6)):
            puff = disc(scene, left + step * size, bottom, size * random.uniform(0.7, 1.3))
            scene.paint(puff & (scene.y < bottom), Surface.CLOUD, 1 - (scene.y - bottom + size) / size)


def add_mountains(scene: Scene, random: np.random.Generator, horizon: float) -> None:
    """Draw jagged mountains, lit from the left."""
    ridge = horizon - 0.02 - 0.3 * value_noise(random, (1, len(scene.x)), (1, 3), octaves=5)
    relief = value_noise(random, scene.x.shape, (3, 4), octaves=5)
    light = 0.5 + 0.08 * len(scene.x) * np.gradient(relief, axis=1)
    scene.paint(scene.y > ridge, Surface.MOUNTAIN, light.astype(np.float32))


def add_hill(scene: Scene, random: np.random.Generator, top: float) -> None:
    """Draw a meadow in front of the scene so far."""
    crest = top + 0.12 * value_noise(random, (1, len(scene.x)), (1, 2), octaves=2)
    light = 0.1 + 0.9 * value_noise(random, scene.x.shape, (8, 4), octaves=4) - 0.4 * (scene.y - crest)
    scene.paint(scene.y > crest, Surface.MEADOW, light)


def add_trees(scene: Scene, random: np.random.Generator, foot: float, *, count: int, height: float) -> None:
    """Draw conifers and round trees, the farthest first."""
    for down in np.sort(random.uniform(0, 0.16, count)):
        add_tree = add_conifer if random.random() < 0.7 else add_round_tree
        add_tree(scene, random.uniform(0, 1), foot + down, height * random.uniform(0.7, 1.2))


def add_conifer(scene: Scene, x: float, foot: float, height: float) -> None:
    """Draw a conifer of three tiers, each lit at its upper left."""
    down = (scene.y - foot + height) / height / 0.9
    tier = np.floor(down * 3)
    within = down * 3 - tier
    reach = height * (0.1 + 0.06 * tier) * (0.25 * np.minimum(tier, 1) + within)
    across = (scene.x - x) / (0.3 * height)
    scene.paint((abs(scene.x - x) < 0.035 * height) & (down > 0.9) & (scene.y < foot), Surface.TRUNK, 0.5)
    inside = (abs(scene.x - x) < reach) & (down > 0) & (down < 1)
    scene.paint(inside, Surface.CONIFER, 0.85 - 0.9 * across - 0.5 * within)


def add_round_tree(scene: Scene, x: float, foot: float, height: float) -> None:
    """Draw a round tree, lit from the upper left."""
    radius = 0.36 * height
    middle = foot - height + radius
    scene.paint((abs(scene.x - x) < 0.05 * height) & (scene.y > middle) & (scene.y < foot), Surface.TRUNK, 0.5)
    light = 0.5 - 0.35 * (scene.x - x + scene.y - middle) / radius
    scene.paint(disc(scene, x, middle, radius), Surface.TREE, light)


def add_hut(scene: Scene, x: float, foot: float, width: float) -> None:
    """Draw a hut with a pitched roof and a window."""
    across, up = (scene.x - x) / width, (foot - scene.y) / width
    scene.paint((abs(across) < 0.5) & (up > 0) & (up < 0.5), Surface.WALL, 0.6 - 0.6 * across)
    scene.paint((abs(across) < 0.13) & (up > 0.12) & (up < 0.36), Surface.WINDOW, 1 - 2 * up)
    scene.paint((up > 0.42) & (up < 1.0 - 0.85 * abs(across)), Surface.ROOF, 0.6 - 0.6 * across)


def disc(scene: Scene, x: float, y: float, radius: float) -> Mask:
    """Return the pixels within a circle."""
    inside: Mask = (scene.x - x) ** 2 + (scene.y - y) ** 2 < radius**2
    return inside


def value_noise(random: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int], *, octaves: int) -> Field:
    """Return smooth noise from 0 to 1, a sum of ever finer and fainter octaves; `cells` is the coarsest grid."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        rows, columns = cells[0] * 2**octave, cells[1] * 2**octave
        grid = Image.fromarray(random.random((rows + 1, columns + 1), np.float32))
        total += np.asarray(grid.resize(shape[::-1], Image.Resampling.BICUBIC)) / 2**octave
    low, high = total.min(), total.max()
    scaled: Field = (total - low) / (high - low)
    return scaled
