"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

They tell quality from variety, which FID and KID mix. A picture's ball reaches, in the features of an extractor, to
its k-th nearest neighbour in its own set. The balls of a set together are its manifold.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64

from cyclegan.evaluation.distances import Features
from cyclegan.evaluation.intervals import Z_95

PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5  # k, as in the two papers
MAX_PICTURES = 5000  # of a set; the distances within and between two such sets take 600 MB
GROUPS = 20  # of the jackknife

NAMES = ("precision", "recall", "density", "coverage")

Distances = Float64[np.ndarray, "_n _m"]
Radii = Float64[np.ndarray, "_n"]
Chosen = Bool[np.ndarray, "_n"]


@dataclass(frozen=True)
class ManifoldScore:
    """A share of pictures, or a density, and its confidence interval."""

    value: float
    low: float  # 95 % confidence interval
    high: float
    k: int  # neighbours


@dataclass(frozen=True)
class PairwiseDistances:
    """Euclidean distances within and between n real pictures and m translations."""

    real: Distances  # n n
    translated: Distances  # m m
    between: Distances  # n m

    def keep(self, real: Chosen, translated: Chosen) -> "PairwiseDistances":
        """Return the distances of the chosen pictures."""
        return PairwiseDistances(
            self.real[np.ix_(real, real)],
            self.translated[np.ix_(translated, translated)],
            self.between[np.ix_(real, translated)],
        )


def manifold_scores(translated: Features, real: Features, *, seed: int = 0) -> dict[str, ManifoldScore]:
    """Return precision, recall, density and coverage; k is smaller where there are too few pictures."""
    random = np.random.default_rng(seed)
    translated, real = draw_rows(translated, random), draw_rows(real, random)
    distances = PairwiseDistances(pairwise(real, real), pairwise(translated, translated), pairwise(real, translated))
    # A picture is no neighbour of its own, and the jackknife leaves one out.
    most = min(len(translated), len(real)) - 2
    k, k_density = min(PRECISION_NEIGHBOURS, most), min(DENSITY_NEIGHBOURS, most)
    values = four_scores(distances, k, k_density)
    margins = Z_95 * standard_errors(distances, k, k_density, random)
    lows, highs = np.maximum(values - margins, 0), np.minimum(values + margins, [1, 1, np.inf, 1])
    rows = zip(values.tolist(), lows.tolist(), highs.tolist(), (k, k, k_density, k_density), strict=True)
    return dict(zip(NAMES, (ManifoldScore(*row) for row in rows), strict=True))


def draw_rows(features: Features, random: np.random.Generator) -> Features:
    """Return at most `MAX_PICTURES` rows."""
    if len(features) <= MAX_PICTURES:
        return features
    return features[random.choice(len(features), MAX_PICTURES, replace=False)]


def pairwise(a: Features, b: Features) -> Distances:
    """Return the distance of each row of a from each row of b."""
    distances: Distances = torch.cdist(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    return distances


def four_scores(distances: PairwiseDistances, k: int, k_density: int) -> Float64[np.ndarray, "4"]:
    """Return precision, recall, density and coverage, in this order.

    The edge of a ball belongs to it in precision and recall, and not in density and coverage, as in the code of the
    papers' authors. So all four are 1 for equal sets.
    """
    between = distances.between
    in_real = between <= radii(distances.real, k)[:, None]
    in_translated = between <= radii(distances.translated, k)
    in_ball = between < radii(distances.real, k_density)[:, None]
    precision, recall = in_real.any(0).mean(), in_translated.any(1).mean()
    return np.array([precision, recall, in_ball.sum(0).mean() / k_density, in_ball.any(1).mean()])


def radii(distances: Distances, k: int) -> Radii:
    """Return the distance of each picture's k-th nearest neighbour; the nearest of all is the picture itself."""
    return np.partition(distances, k, axis=1)[:, k]


def standard_errors(
    distances: PairwiseDistances, k: int, k_density: int, random: np.random.Generator
) -> Float64[np.ndarray, "4"]:
    """Return the standard errors by the jackknife over groups of the pictures of both sets (Tukey 1958).

    A bootstrap would draw pictures twice, and a picture's nearest neighbour would often be itself.
    """
    n, m = distances.between.shape
    all_real, all_translated = np.full(n, True), np.full(m, True)
    without_real = (distances.keep(kept, all_translated) for kept in leave_out(n, random))
    without_translated = (distances.keep(all_real, kept) for kept in leave_out(m, random))
    variances = []
    for subsets in (without_real, without_translated):
        values = np.array([four_scores(subset, k, k_density) for subset in subsets])
        variances.append((len(values) - 1) * values.var(0))
    return np.sqrt(np.sum(variances, axis=0))


def leave_out(count: int, random: np.random.Generator) -> Iterator[Chosen]:
    """Yield which of `count` pictures stay without each group in turn."""
    groups = random.permutation(count) % GROUPS
    return (groups != group for group in range(min(GROUPS, count)))
