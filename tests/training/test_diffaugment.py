"""Discriminators see images augmented, the same way in both updates, and generators learn through it."""

import pytest
import torch

from cyclegan.training.diffaugment import CHOICES, DiffAugment, augmented

STILL = (0.5, 0.5)  # no shift
AWAY = (0.0, 0.0)  # the hole, cut off by the corner


def images(count: int = 1, size: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def with_choices(image: torch.Tensor, *choices: float) -> torch.Tensor:
    return augmented(image, torch.tensor([choices]))


def test_the_hole_has_half_the_width_and_height():
    image = images()
    seen = with_choices(image, *STILL, 0.5, 0.5)
    expected = image.clone()
    expected[..., 4:12, 4:12] = 0
    torch.testing.assert_close(seen, expected)


@pytest.mark.parametrize(("choice", "steps"), [(0.0, -2), (0.5, 0), (0.999, 2)])
def test_images_are_shifted_by_up_to_an_eighth(choice, steps):
    image = images()
    down, right = (with_choices(image, *shift, *AWAY) for shift in ((choice, 0.5), (0.5, choice)))
    expected = torch.zeros_like(image)
    for row in range(16):
        if 0 <= row + steps < 16:
            expected[:, :, row] = image[:, :, row + steps]
    torch.testing.assert_close(down[..., 4:, 4:], expected[..., 4:, 4:])
    torch.testing.assert_close(with_choices(image.mT, choice, 0.5, *AWAY).mT, right)


def test_gradients_reach_the_visible_pixels():
    shown = images().requires_grad_()
    choices = torch.rand(1, CHOICES, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(lambda image: augmented(image, choices), shown)


def test_every_image_is_augmented_differently():
    augmentation = DiffAugment(True, seed=0)
    augmentation.draw(2)
    same = images().expand(2, -1, -1, -1)
    seen = torch.cat([augmentation.of_fakes(same), *augmentation.of_reals_and_fakes(same, same)])
    assert all(not torch.equal(seen[i], seen[j]) for i in range(6) for j in range(i))


def test_disabled_augmentation_changes_nothing_and_has_no_state():
    augmentation, image = DiffAugment(), images()
    augmentation.draw(1)
    assert augmentation.of_fakes(image) is image
    assert augmentation.state_dict() == {}


def test_a_restored_augmentation_continues_exactly():
    first, second = DiffAugment(True, seed=0), DiffAugment(True, seed=9)
    first.draw(2)
    second.load_state_dict(first.state_dict())
    for augmentation in (first, second):
        augmentation.draw(2)
    assert torch.equal(first.choices, second.choices)
