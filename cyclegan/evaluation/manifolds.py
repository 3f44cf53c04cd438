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
Radii = Float64[np.ndarray, "2 _n"]  # for precision and recall, for density and coverage
FourScores = Float64[np.ndarray, "4"]  # in the order of `NAMES`
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


def manifold_scores(translated: Features, real: Features, *, seed: int = 0) -> dict[str, ManifoldScore]:
    """Return precision, recall, density and coverage; k is smaller where there are too few pictures."""
    random = np.random.default_rng(seed)
    translated, real = draw_rows(translated, random), draw_rows(real, random)
    distances = PairwiseDistances(pairwise(real, real), pairwise(translated, translated), pairwise(real, translated))
    # A picture is no neighbour of its own, and the jackknife leaves one out.
    most = min(len(translated), len(real)) - 2
    k, k_density = ks = min(PRECISION_NEIGHBOURS, most), min(DENSITY_NEIGHBOURS, most)
    values = four_scores(distances.between, radii(distances.real, ks), radii(distances.translated, ks), ks)
    margins = Z_95 * standard_errors(distances, ks, random)
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


def radii(distances: Distances, ks: tuple[int, int]) -> Radii:
    """Return the distance of each picture's k-th nearest neighbour, for the two k, of which the second is not smaller.

    `distances` are those within a set: the nearest of all is the picture itself.
    """
    nearest = torch.from_numpy(distances).topk(ks[1] + 1, largest=False).values  # several times faster than numpy's
    return nearest[:, ks].T.numpy()


def four_scores(between: Distances, real_radii: Radii, translated_radii: Radii, ks: tuple[int, int]) -> FourScores:
    """Return precision, recall, density and coverage.

    The edge of a ball belongs to it in precision and recall, and not in density and coverage, as in the code of the
    papers' authors. So all four are 1 for equal sets.
    """
    precision = (between <= real_radii[0][:, None]).any(0).mean()
    recall = (between <= translated_radii[0]).any(1).mean()
    held = between < real_radii[1][:, None]
    return np.array([precision, recall, held.sum(0).mean() / ks[1], held.any(1).mean()])


def standard_errors(distances: PairwiseDistances, ks: tuple[int, int], random: np.random.Generator) -> FourScores:
    """Return the standard errors by the jackknife over groups of the pictures of both sets (Tukey 1958).

    A bootstrap would draw pictures twice, and a picture's nearest neighbour would often be itself.
    """
    real, translated, between = distances.real, distances.translated, distances.between
    real_radii, translated_radii = radii(real, ks), radii(translated, ks)
    without_real = [
        four_scores(between[kept], radii(real[np.ix_(kept, kept)], ks), translated_radii, ks)
        for kept in leave_out(len(real), random)
    ]
    without_translated = [
        four_scores(between[:, kept], real_radii, radii(translated[np.ix_(kept, kept)], ks), ks)
        for kept in leave_out(len(translated), random)
    ]
    errors: FourScores = np.sqrt(jackknife_variance(without_real) + jackknife_variance(without_translated))
    return errors


def jackknife_variance(scores: list[FourScores]) -> FourScores:
    """Return the variance of each score from its values without each group in turn."""
    variance: FourScores = (len(scores) - 1) * np.var(scores, axis=0)
    return variance


def leave_out(count: int, random: np.random.Generator) -> Iterator[Chosen]:
    """Yield which of `count` pictures stay without each group in turn."""
    groups = random.permutation(count) % GROUPS
    return (groups != group for group in range(min(GROUPS, count)))
