"""Bootstrap intervals cover the mean as often as they say."""

import numpy as np
import pytest

from cyclegan.evaluation.intervals import Interval, bootstrap_interval


def test_bootstrap_interval_covers_the_mean():
    random = np.random.default_rng(0)
    found = [bootstrap_interval(random.exponential(size=60)) for _ in range(100)]
    assert 88 <= sum(interval.low <= 1 <= interval.high for interval in found) <= 99


def test_bootstrap_interval_of_many_scores_is_the_normal_one():
    scores = np.random.default_rng(0).normal(size=4000)
    found, margin = bootstrap_interval(scores), 1.96 * scores.std() / 4000**0.5
    assert (found.low, found.high) == pytest.approx((scores.mean() - margin, scores.mean() + margin), abs=margin / 10)


def test_bootstrap_interval_is_repeatable():
    scores = np.arange(10.0)
    assert bootstrap_interval(scores) == bootstrap_interval(scores)
    assert bootstrap_interval(np.ones(5)) == Interval(1, 1)


@pytest.mark.parametrize("scores", [[0.1, 0.2], [0.1, 0.2, np.inf]])
def test_too_few_or_infinite_scores_have_no_interval(scores):
    assert bootstrap_interval(np.array(scores)) is None
