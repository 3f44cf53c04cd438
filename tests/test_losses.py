"""The objectives are those of their papers."""

import pytest
import torch
import torch.nn.functional as F

from cyclegan.losses import discriminator_loss, gan_loss, l1

REAL, FAKE = torch.tensor([0.5, 2.0]), torch.tensor([-1.5, 0.25])


def test_vanilla_loss_is_cross_entropy():
    ones, zeros = torch.ones(2), torch.zeros(2)
    expected = (F.binary_cross_entropy_with_logits(REAL, ones) + F.binary_cross_entropy_with_logits(FAKE, zeros)) / 2
    torch.testing.assert_close(discriminator_loss(REAL, FAKE, "vanilla"), expected)
    torch.testing.assert_close(gan_loss(FAKE, "vanilla"), F.binary_cross_entropy_with_logits(FAKE, ones))


def test_lsgan_targets_are_one_and_zero():
    assert discriminator_loss(torch.ones(2), torch.zeros(2), "lsgan") == 0
    assert float(discriminator_loss(REAL, FAKE, "lsgan")) == pytest.approx(((0.25 + 1) / 2 + (2.25 + 0.0625) / 2) / 2)
    assert float(gan_loss(FAKE, "lsgan")) == pytest.approx((6.25 + 0.5625) / 2)


def test_hinge_loss_is_zero_beyond_the_margin():
    assert discriminator_loss(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -5.0]), "hinge") == 0
    assert float(discriminator_loss(REAL, FAKE, "hinge")) == pytest.approx((0.25 + 0.625) / 2)
    assert float(gan_loss(FAKE, "hinge")) == pytest.approx(0.625)


def test_l1_is_the_mean_absolute_difference():
    assert l1(torch.full((1, 3, 2, 2), 0.5), torch.full((1, 3, 2, 2), -0.25)) == 0.75
