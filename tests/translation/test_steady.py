"""A steadier clip lets what was drawn before weigh in what is drawn."""

import cv2
import numpy as np
import pytest
import torch

from cyclegan.models import ResNetGenerator
from cyclegan.translation.flicker import Flicker
from cyclegan.translation.frames import Pixels
from cyclegan.translation.steady import Steadier, forget, steadied
from tests.translation.test_flicker import SCENE, moving, noisy

RANDOM = torch.Generator().manual_seed(0)
FRAMES = torch.randn(4, 3, 32, 32, generator=RANDOM).clamp(-1, 1)


@pytest.fixture
def generator() -> ResNetGenerator:
    torch.manual_seed(0)
    return ResNetGenerator(width=4, blocks=1).eval().requires_grad_(False)


def frames_of(generator: torch.nn.Module) -> list[torch.Tensor]:
    return [generator(frame[None]) for frame in FRAMES]


def test_the_first_frame_and_all_without_memory_are_as_ever(generator):
    assert torch.allclose(steadied(generator, 0.9)(FRAMES[:1]), generator(FRAMES[:1]), atol=1e-5)
    for steady, plain in zip(frames_of(steadied(generator, 0)), frames_of(generator), strict=True):
        assert torch.allclose(steady, plain, atol=1e-5)


def test_a_forgotten_clip_does_not_weigh_in_the_next(generator):
    steady = steadied(generator, 0.9)
    first = frames_of(steady)
    assert not torch.equal(steady(FRAMES[:1]), first[0])
    forget(steady)
    assert all(torch.equal(again, frame) for again, frame in zip(frames_of(steady), first, strict=True))


def test_weights_are_shared_and_the_generator_is_left_as_it_was(generator):
    before = frames_of(generator)
    steady = steadied(generator, 0.9)
    shared = {tensor.data_ptr() for tensor in generator.parameters()}
    assert {tensor.data_ptr() for tensor in steady.parameters()} == shared
    assert steady.state_dict().keys() == generator.state_dict().keys()
    frames_of(steady)
    assert all(torch.equal(again, frame) for again, frame in zip(frames_of(generator), before, strict=True))


def test_something_that_comes_into_view_changes_the_rest_less(generator):
    scene = FRAMES[:1]
    visited = scene.clone()
    visited[..., :8] = 1

    def disturbance(network: torch.nn.Module) -> float:
        return float((network(visited) - network(scene))[..., -8:].abs().mean())

    steady = steadied(generator, 0.9)
    steady(scene)
    assert disturbance(steady) < 0.5 * disturbance(generator)


def test_half_precision_stays_half(generator):
    half = generator.to(torch.bfloat16)
    assert steadied(half, 0.9)(FRAMES[:1].bfloat16()).dtype == torch.bfloat16


def test_a_memory_that_never_changes_is_refused(generator):
    with pytest.raises(ValueError, match="below 1"):
        steadied(generator, 1.0)


def flickering(keep: float, frames: list[Pixels], drawn: list[Pixels]) -> float:
    flicker, steadier = Flicker(), Steadier(keep)
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
    steadier = Steadier(0.8)
    for number in range(8):
        frame = smooth[number * 2 : number * 2 + 96, number * 3 : number * 3 + 128]
        large = cv2.resize(255 - frame, (256, 192))
        assert np.abs(steadier(frame, large).astype(int) - large).mean() < 1


def test_nothing_of_a_scene_is_seen_in_the_next():
    steadier = Steadier(0.9)
    first, second = SCENE[:96, :128], 255 - SCENE[100:196, 150:278]
    steadier(first, first)
    assert np.abs(steadier(second, second).astype(int) - second).mean() < 2
