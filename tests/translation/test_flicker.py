"""Flicker is what changes from frame to frame though nothing in the source moves it."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from cyclegan.video.flicker import Flicker
from cyclegan.video.frames import Pixels
from cyclegan.video.motion import LONG_SIDE

RANDOM = np.random.default_rng(0)
SCENE = cv2.resize(RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8), (300, 200), interpolation=cv2.INTER_CUBIC)


def moving(frames: int = 8) -> Iterator[Pixels]:
    """Yield a scene that drifts by some pixels with every frame, with a little grain."""
    for number in range(frames):
        seen = SCENE[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128].astype(float)
        yield (seen + RANDOM.normal(0, 2, seen.shape)).clip(0, 255).astype(np.uint8)


def measured(redraw: Callable[[Pixels], Pixels]) -> Flicker:
    flicker = Flicker()
    for frame in moving():
        flicker.add(frame, redraw(frame))
    return flicker


def noisy(pixels: Pixels) -> Pixels:
    return (pixels + RANDOM.normal(0, 10, pixels.shape)).clip(0, 255).astype(np.uint8)


def test_a_clip_is_as_steady_as_itself():
    assert measured(lambda frame: frame).ratio() == 1


def test_noise_of_its_own_in_every_frame_is_flicker():
    flicker = measured(noisy)
    assert flicker.ratio() > 2
    assert flicker.output > 2 * flicker.source > 0


def test_brightness_that_comes_and_goes_is_flicker():
    light = iter([1.0, 0.9] * 4)
    assert measured(lambda frame: (frame * next(light)).astype(np.uint8)).ratio() > 1.5


def test_other_colours_that_stay_are_no_flicker():
    paler = measured(lambda frame: (frame // 2 + np.array([90, 60, 20])).astype(np.uint8))
    assert paler.ratio() < 1.1
    swapped = measured(lambda frame: frame[..., ::-1].copy())
    assert swapped.ratio() == pytest.approx(1, abs=0.02)


def test_motion_is_no_flicker():
    smooth = cv2.GaussianBlur(SCENE, (0, 0), 4)
    flicker = Flicker()
    for number in range(6):
        frame = smooth[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128]
        flicker.add(frame, frame)
    assert flicker.output < 1


def test_what_comes_to_light_is_no_flicker():
    flicker = Flicker()
    for number in range(6):
        frame = SCENE[:96, :128].copy()
        frame[30:70, number * 16 : number * 16 + 40] = 255 - SCENE[100:140, 100:140]
        flicker.add(frame, frame)
    assert flicker.output < 2


def test_a_cut_between_scenes_is_no_flicker():
    flicker = Flicker()
    for frame in (*moving(3), *(frame[::-1, ::-1].copy() for frame in moving(3))):
        flicker.add(frame, frame)
    assert flicker.output == pytest.approx(measured(lambda frame: frame).output, rel=0.3)


def test_sizes_may_differ_and_be_large():
    flicker = Flicker()
    for frame in moving(3):
        large = cv2.resize(frame, (LONG_SIDE * 2, LONG_SIDE))
        flicker.add(large, frame)
    assert 0 < flicker.ratio() < 10


def test_nothing_that_changes_is_steady_and_anything_else_is_not():
    still = SCENE[:64, :64]
    flicker = Flicker()
    assert flicker.ratio() == 1
    for _ in range(3):
        flicker.add(still, still)
    assert flicker.ratio() == 1
    flicker.add(still, still // 2)
    assert flicker.ratio() == np.inf
