"""Temporal smoothing lowers flicker, and keeps motion and cuts."""

import cv2
import numpy as np
import pytest

from cyclegan.video.flicker import Flicker
from cyclegan.video.frames import FramePixels
from cyclegan.video.smoothing import TemporalSmoother
from tests.video.test_flicker import SCENE, moving, noisy


def test_a_smoothing_weight_of_one_is_an_error():
    with pytest.raises(ValueError, match="below 1"):
        TemporalSmoother(1.0)


def flicker_ratio(keep: float, frames: list[FramePixels], outputs: list[FramePixels]) -> float:
    flicker, smoother = Flicker(), TemporalSmoother(keep)
    for source, output in zip(frames, outputs, strict=True):
        flicker.add(source, smoother(source, output))
    return flicker.ratio()


def test_smoothing_lowers_flicker():
    frames = list(moving())
    outputs = [noisy(frame) for frame in frames]
    unsmoothed, weak, strong = (flicker_ratio(keep, frames, outputs) for keep in (0.0, 0.5, 0.8))
    assert weak < 0.7 * unsmoothed
    assert strong < weak


def test_smoothing_keeps_moving_objects_in_place():
    smooth = cv2.GaussianBlur(SCENE, (0, 0), 2)
    smoother = TemporalSmoother(0.8)
    for number in range(8):
        frame = smooth[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128]
        large = cv2.resize(255 - frame, (256, 192))
        assert np.abs(smoother(frame, large).astype(int) - large).mean() < 1


def test_smoothing_does_not_blend_across_cuts():
    smoother = TemporalSmoother(0.9)
    first, second = SCENE[:96, :128], 255 - SCENE[100:196, 150:278]
    smoother(first, first)
    assert np.abs(smoother(second, second).astype(int) - second).mean() < 2


@pytest.mark.parametrize("shape", [(1, 1), (11, 11), (1, 40), (12, 12), (40, 12)])
def test_tiny_frames_can_be_smoothed(shape: tuple[int, int]):
    smoother = TemporalSmoother(0.5)
    frame = SCENE[: shape[0], : shape[1]]
    assert np.array_equal(smoother(frame, frame), frame)
    lighter = smoother(frame, np.minimum(frame, 100) + 50)
    assert lighter.shape == frame.shape
