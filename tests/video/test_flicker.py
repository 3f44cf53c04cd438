"""Flicker is change from frame to frame that the motion of the source does not explain."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from cyclegan.video.flicker import Flicker
from cyclegan.video.frames import FramePixels
from cyclegan.video.motion import LONG_SIDE

RANDOM = np.random.default_rng(0)
SCENE = cv2.resize(RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8), (300, 200), interpolation=cv2.INTER_CUBIC)


def moving(frames: int = 8) -> Iterator[FramePixels]:
    """Yield a scene that drifts by some pixels per frame, with a little grain."""
    for number in range(frames):
        crop = SCENE[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128].astype(float)
        yield (crop + RANDOM.normal(0, 2, crop.shape)).clip(0, 255).astype(np.uint8)


def measure(function: Callable[[FramePixels], FramePixels]) -> Flicker:
    flicker = Flicker()
    for frame in moving():
        flicker.add(frame, function(frame))
    return flicker


def noisy(pixels: FramePixels) -> FramePixels:
    return (pixels + RANDOM.normal(0, 10, pixels.shape)).clip(0, 255).astype(np.uint8)


def test_an_unchanged_video_has_flicker_ratio_one():
    assert measure(lambda frame: frame).ratio() == 1


def test_independent_noise_is_flicker():
    flicker = measure(noisy)
    assert flicker.ratio() > 2
    assert flicker.output > 2 * flicker.source > 0


def test_alternating_brightness_is_flicker():
    light = iter([1.0, 0.9] * 4)
    assert measure(lambda frame: (frame * next(light)).astype(np.uint8)).ratio() > 1.5


def test_constant_color_changes_are_not_flicker():
    paler = measure(lambda frame: (frame // 2 + np.array([90, 60, 20])).astype(np.uint8))
    assert paler.ratio() < 1.1
    swapped = measure(lambda frame: frame[..., ::-1].copy())
    assert swapped.ratio() == pytest.approx(1, abs=0.02)


def test_motion_is_not_flicker():
    smooth = cv2.GaussianBlur(SCENE, (0, 0), 4)
    flicker = Flicker()
    for number in range(6):
        frame = smooth[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128]
        flicker.add(frame, frame)
    assert flicker.output < 1


def test_disocclusion_is_not_flicker():
    flicker = Flicker()
    for number in range(6):
        frame = SCENE[:96, :128].copy()
        frame[30:70, number * 16 : number * 16 + 40] = 255 - SCENE[100:140, 100:140]
        flicker.add(frame, frame)
    assert flicker.output < 2


def test_a_cut_between_scenes_is_not_flicker():
    flicker = Flicker()
    for frame in (*moving(3), *(frame[::-1, ::-1].copy() for frame in moving(3))):
        flicker.add(frame, frame)
    assert flicker.output == pytest.approx(measure(lambda frame: frame).output, rel=0.3)


def test_source_and_output_may_differ_in_size():
    flicker = Flicker()
    for frame in moving(3):
        large = cv2.resize(frame, (LONG_SIDE * 2, LONG_SIDE))
        flicker.add(large, frame)
    assert 0 < flicker.ratio() < 10


def test_a_still_source_has_flicker_ratio_one_or_infinity():
    still = SCENE[:64, :64]
    flicker = Flicker()
    assert flicker.ratio() == 1
    for _ in range(3):
        flicker.add(still, still)
    assert flicker.ratio() == 1
    flicker.add(still, still // 2)
    assert flicker.ratio() == np.inf
