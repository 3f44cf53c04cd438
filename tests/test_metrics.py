"""Distances between sets of images, and likenesses of images, mean what they say."""

import numpy as np
import pytest
import skimage.metrics
import torch

from cyclegan import metrics
from cyclegan.metrics import SlicedWasserstein, blurred, doubled, laplacian_pyramid, structural_similarity


def some_images(seed: int, count: int = 6, channels: int = 3, side: int = 64) -> torch.Tensor:
    """Return images with structure at every scale, in [-1, 1]."""
    random = torch.Generator().manual_seed(seed)
    layers = [
        torch.nn.functional.interpolate(
            torch.randn(count, channels, side // coarse, side // coarse, generator=random), (side, side)
        )
        for coarse in (1, 4, 16)
    ]
    return (sum(layers) / 4).clamp(-1, 1)


def l1(images: torch.Tensor, real: torch.Tensor) -> float:
    """Return the mean over the levels."""
    return float(np.mean(SlicedWasserstein(real)(images)))


def test_a_set_is_at_no_distance_from_itself_and_near_others_of_its_kind():
    images, others = some_images(0), some_images(1)
    assert l1(images, images) == 0
    assert 0 < l1(others, images) < 0.1 * l1(others - 1, images)


def test_a_distance_hardly_depends_on_which_side_is_the_real_one():
    images, others = some_images(0), some_images(1) * 0.8
    there, back = l1(images, others), l1(others, images)
    assert there * 0.8 == pytest.approx(back, rel=0.1)  # each is measured in the spread of its real side


@pytest.mark.parametrize(
    "worse",
    [
        lambda images, much: images + 0.1 * much,
        lambda images, much: images * (1 - 0.2 * much),
        lambda images, much: torch.lerp(images, blurred(images), 0.3 * much),
        lambda images, much: (
            images + 0.1 * much * torch.randn(images.shape, generator=torch.Generator().manual_seed(9))
        ),
    ],
    ids=["shifted", "pale", "blurred", "noisy"],
)
def test_a_distance_grows_with_the_damage(worse):
    real = some_images(0)
    distances = [l1(worse(real, much), real) for much in range(4)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert len(set(distances)) == 4


def test_a_shift_of_everything_by_one_spread_is_seen_at_the_coarsest_level_alone():
    real = some_images(0)
    spread = laplacian_pyramid(real)[-1].std((0, 2, 3), keepdim=True)
    *fine, coarse = SlicedWasserstein(real)(real + spread)
    assert max(fine) < 1e-5
    across = torch.randn(3 * 7 * 7, metrics.DIRECTIONS, generator=torch.Generator().manual_seed(len(fine)))
    expected = torch.nn.functional.normalize(across, dim=0).sum(0).abs().mean().item()  # how far each direction goes
    assert coarse == pytest.approx(expected, rel=1e-3)


def test_blur_is_seen_where_it_is():
    real = some_images(0)
    fine, middle, coarse = SlicedWasserstein(real)(blurred(real))
    assert fine > 2 * middle > 4 * coarse


@pytest.mark.parametrize(("side", "levels"), [(16, 1), (31, 1), (32, 2), (50, 2), (64, 3)])
def test_a_pyramid_ends_at_sixteen_pixels_and_adds_up_to_its_images(side: int, levels: int):
    images = some_images(0, side=64)[:, :, :side, :side]
    pyramid = laplacian_pyramid(images)
    assert len(pyramid) == levels
    whole = pyramid[-1]
    for level in pyramid[-2::-1]:
        whole = level + doubled(whole, level)
    torch.testing.assert_close(whole, images)


def test_grey_images_and_flat_ones_have_distances():
    assert l1(some_images(0, channels=1), some_images(1, channels=1)) > 0
    flat = torch.zeros(2, 3, 32, 32)
    assert l1(flat, flat) == 0


def test_numbers_of_images_may_differ():
    assert l1(some_images(1, count=3), some_images(0)) < 0.1 * l1(some_images(1, count=3) - 1, some_images(0))


def test_structure_is_like_itself_and_less_so_the_more_it_is_worn():
    images = some_images(0)
    torch.testing.assert_close(structural_similarity(images, images), torch.ones(6))
    likenesses = [structural_similarity(images, images + 0.2 * much).mean().item() for much in range(4)]
    assert likenesses == sorted(likenesses, reverse=True)
    assert structural_similarity(images, -images).mean() < 0
    others = some_images(1)
    torch.testing.assert_close(structural_similarity(images, others), structural_similarity(others, images))


def test_structural_similarity_of_flat_images_is_what_the_formula_says():
    dark, bright = torch.full((1, 1, 16, 16), -0.5), torch.full((1, 1, 16, 16), 0.5)
    light = lambda x, y: (2 * x * y + 0.01**2) / (x * x + y * y + 0.01**2)  # noqa: E731
    assert structural_similarity(dark, bright).item() == pytest.approx(light(0.25, 0.75), abs=1e-3)


def test_structural_similarity_is_that_of_scikit_image():
    images, others = (some_images(seed, count=1, channels=1) for seed in (0, 1))
    theirs = skimage.metrics.structural_similarity(
        images[0, 0].add(1).div(2).numpy(), others[0, 0].add(1).div(2).numpy(), data_range=1.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert structural_similarity(images, others).item() == pytest.approx(theirs, abs=1e-4)
