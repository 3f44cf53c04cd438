"""95 % confidence intervals of scores."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

MIN_PICTURES = 3  # the jackknife leaves one out, and two have a variance
RESAMPLES = 1000  # of the bootstrap
Z_95 = 1.96  # standard errors on each side

PictureScores = Float64[np.ndarray, "_n"]  # one of each picture


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


def proportion_interval(successes: int, trials: int) -> Interval | None:
    """Return the interval of a proportion by Wilson's score (1927); None without trials."""
    from scipy.stats import binomtest

    if not trials:
        return None
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return Interval(float(interval.low), float(interval.high))


def bootstrap_interval(scores: PictureScores, *, seed: int = 0) -> Interval | None:
    """Return the interval of the mean by the percentile bootstrap (Efron 1979); None for too few or infinite scores."""
    if len(scores) < MIN_PICTURES or not np.isfinite(scores).all():
        return None
    random = np.random.default_rng(seed)
    # One resample at a time: all at once would take 1,000 times the memory.
    means = [scores[random.integers(len(scores), size=len(scores))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5]).tolist()
    return Interval(low, high)
