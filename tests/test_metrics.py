"""The sliced Wasserstein distance and SSIM behave as their papers say."""

import numpy as np
import pytest
import skimage.metrics
import torch

from cyclegan import metrics
from cyclegan.metrics import SlicedWasserstein, blur, laplacian_pyramid, structural_similarity, upsample_to


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


def distance(images: torch.Tensor, real: torch.Tensor) -> float:
    """Return the mean distance over all levels."""
    return float(np.mean(SlicedWasserstein(real)(images)))


def test_equal_sets_have_distance_zero():
    images, others = some_images(0), some_images(1)
    assert distance(images, images) == 0
    assert 0 < distance(others, images) < 0.1 * distance(others - 1, images)


def test_the_distance_is_nearly_symmetric():
    images, others = some_images(0), some_images(1) * 0.8
    forward, backward = distance(images, others), distance(others, images)
    assert forward * 0.8 == pytest.approx(backward, rel=0.1)  # each in units of the real set's standard deviation


@pytest.mark.parametrize(
    "worse",
    [
        lambda images, amount: images + 0.1 * amount,
        lambda images, amount: images * (1 - 0.2 * amount),
        lambda images, amount: torch.lerp(images, blur(images), 0.3 * amount),
        lambda images, amount: (
            images + 0.1 * amount * torch.randn(images.shape, generator=torch.Generator().manual_seed(9))
        ),
    ],
    ids=["shifted", "pale", "blurred", "noisy"],
)
def test_the_distance_grows_with_the_damage(worse):
    real = some_images(0)
    distances = [distance(worse(real, amount), real) for amount in range(4)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert len(set(distances)) == 4


def test_a_constant_shift_changes_the_coarsest_level_only():
    real = some_images(0)
    std = laplacian_pyramid(real)[-1].std((0, 2, 3), keepdim=True)
    *fine, coarse = SlicedWasserstein(real)(real + std)
    assert max(fine) < 1e-5
    across = torch.randn(3 * 7 * 7, metrics.PROJECTIONS, generator=torch.Generator().manual_seed(len(fine)))
    expected = torch.nn.functional.normalize(across, dim=0).sum(0).abs().mean().item()  # how far each direction goes
    assert coarse == pytest.approx(expected, rel=1e-3)


def test_blur_changes_the_finest_level_most():
    real = some_images(0)
    fine, middle, coarse = SlicedWasserstein(real)(blur(real))
    assert fine > 2 * middle > 4 * coarse


@pytest.mark.parametrize(("side", "levels"), [(16, 1), (31, 1), (32, 2), (50, 2), (64, 3)])
def test_a_pyramid_adds_up_to_its_images(side: int, levels: int):
    images = some_images(0, side=64)[:, :, :side, :side]
    pyramid = laplacian_pyramid(images)
    assert len(pyramid) == levels
    total = pyramid[-1]
    for level in pyramid[-2::-1]:
        total = level + upsample_to(total, level)
    torch.testing.assert_close(total, images)


def test_grey_and_flat_images_have_distances():
    assert distance(some_images(0, channels=1), some_images(1, channels=1)) > 0
    flat = torch.zeros(2, 3, 32, 32)
    assert distance(flat, flat) == 0


def test_numbers_of_images_may_differ():
    assert distance(some_images(1, count=3), some_images(0)) < 0.1 * distance(
        some_images(1, count=3) - 1, some_images(0)
    )


def test_structural_similarity_falls_with_the_damage():
    images = some_images(0)
    torch.testing.assert_close(structural_similarity(images, images), torch.ones(6))
    scores = [structural_similarity(images, images + 0.2 * amount).mean().item() for amount in range(4)]
    assert scores == sorted(scores, reverse=True)
    assert structural_similarity(images, -images).mean() < 0
    others = some_images(1)
    torch.testing.assert_close(structural_similarity(images, others), structural_similarity(others, images))


def test_structural_similarity_of_flat_images_equals_the_formula():
    dark, bright = torch.full((1, 1, 16, 16), -0.5), torch.full((1, 1, 16, 16), 0.5)
    light = lambda x, y: (2 * x * y + 0.01**2) / (x * x + y * y + 0.01**2)  # noqa: E731
    assert structural_similarity(dark, bright).item() == pytest.approx(light(0.25, 0.75), abs=1e-3)


def test_structural_similarity_equals_scikit_image_s():
    images, others = (some_images(seed, count=1, channels=1) for seed in (0, 1))
    expected = skimage.metrics.structural_similarity(
        images[0, 0].add(1).div(2).numpy(), others[0, 0].add(1).div(2).numpy(), data_range=1.0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert structural_similarity(images, others).item() == pytest.approx(expected, abs=1e-4)
