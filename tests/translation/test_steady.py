"""A steadier clip lets what was drawn before weigh in what is drawn."""

import cv2
import numpy as np
import pytest

from cyclegan.video.flicker import Flicker
from cyclegan.video.frames import Pixels
from cyclegan.video.smoothing import TemporalSmoother
from tests.translation.test_flicker import SCENE, moving, noisy


def test_a_memory_that_never_changes_is_refused():
    with pytest.raises(ValueError, match="below 1"):
        TemporalSmoother(1.0)


def flickering(keep: float, frames: list[Pixels], drawn: list[Pixels]) -> float:
    flicker, steadier = Flicker(), TemporalSmoother(keep)
    for source, output in zip(frames, drawn, strict=True):
        flicker.add(source, steadier(source, output))
    return flicker.ratio()


def test_blending_along_motion_lowers_flicker():
    frames = list(moving())
    drawn = [noisy(frame) for frame in frames]
    plain, half, more = (flickering(keep, frames, drawn) for keep in (0.0, 0.5, 0.8))
    assert half < 0.7 * plain
    assert more < half


def test_blending_leaves_what_moves_where_it_is():
    smooth = cv2.GaussianBlur(SCENE, (0, 0), 2)
    steadier = TemporalSmoother(0.8)
    for number in range(8):
        frame = smooth[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128]
        large = cv2.resize(255 - frame, (256, 192))
        assert np.abs(steadier(frame, large).astype(int) - large).mean() < 1


def test_nothing_of_a_scene_is_seen_in_the_next():
    steadier = TemporalSmoother(0.9)
    first, second = SCENE[:96, :128], 255 - SCENE[100:196, 150:278]
    steadier(first, first)
    assert np.abs(steadier(second, second).astype(int) - second).mean() < 2


@pytest.mark.parametrize("shape", [(1, 1), (11, 11), (1, 40), (12, 12), (40, 12)])
def test_tiny_frames_are_steadied_too(shape: tuple[int, int]):
    steadier = TemporalSmoother(0.5)
    frame = SCENE[: shape[0], : shape[1]]
    assert np.array_equal(steadier(frame, frame), frame)
    lighter = steadier(frame, np.minimum(frame, 100) + 50)
    assert lighter.shape == frame.shape
