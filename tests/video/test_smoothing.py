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


def flicker_of(frames: list[FramePixels], outputs: list[FramePixels]) -> float:
    flicker = Flicker()
    for source, output in zip(frames, outputs, strict=True):
        flicker.add(source, output)
    return flicker.ratio()


def flicker_ratio(weight: float, frames: list[FramePixels], outputs: list[FramePixels]) -> float:
    smoother = TemporalSmoother(weight)
    return flicker_of(frames, [smoother(source, output) for source, output in zip(frames, outputs, strict=True)])


def test_smoothing_lowers_flicker():
    frames = list(moving())
    outputs = [noisy(frame) for frame in frames]
    unsmoothed, weak, strong = (flicker_ratio(weight, frames, outputs) for weight in (0.0, 0.5, 0.8))
    assert weak < 0.7 * unsmoothed
    assert strong < weak


def sharpness(frames: list[FramePixels]) -> float:
    return float(np.mean([np.abs(cv2.Laplacian(frame.astype(np.float32), cv2.CV_32F)).mean() for frame in frames]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_smoothing_of_the_change_keeps_the_detail_of_the_source(dtype: type):
    frames = list(moving())
    light = [1.0, 0.8] * 4
    white = np.iinfo(dtype).max
    outputs = [(frame * (share * white / 255)).astype(dtype) for frame, share in zip(frames, light, strict=True)]

    def smoothed(*, of_change: bool) -> list[FramePixels]:
        smoother = TemporalSmoother(0.8, of_change=of_change)
        results = [smoother(source, output) for source, output in zip(frames, outputs, strict=True)]
        assert all(result.dtype == dtype for result in results)
        return [(result * (255 / white)).astype(np.uint8) for result in results]

    unsmoothed = [(output * (255 / white)).astype(np.uint8) for output in outputs]
    of_outputs, of_change = smoothed(of_change=False), smoothed(of_change=True)
    assert sharpness(of_change) > 0.95 * sharpness(unsmoothed) > sharpness(of_outputs)
    assert flicker_of(frames, of_change) < 0.7 * flicker_of(frames, unsmoothed)


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
