"""A steadied generator lets what it saw before weigh in what it draws."""

import pytest
import torch

from cyclegan.models import ResNetGenerator
from cyclegan.translation.steady import forget, steadied

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
