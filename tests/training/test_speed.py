"""The speed of steps is measured, and measuring changes nothing."""

from itertools import count

import pytest
import torch

from cyclegan.config import build_config
from cyclegan.training.speed import measured_seconds_per_step
from tests.support.states import TINY


def test_the_mean_time_of_a_step_is_returned():
    seconds = count(step=0.5)
    config = build_config(TINY, {"machine": {"device": "cpu", "threads": 1}})
    assert measured_seconds_per_step(config, clock=lambda: next(seconds)) == pytest.approx(0.75, abs=0.3)


def test_measuring_leaves_random_numbers_as_they_were():
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    measured_seconds_per_step(build_config(TINY, {"machine": {"device": "cpu"}}), clock=count().__next__)
    assert torch.equal(torch.rand(3), expected)
