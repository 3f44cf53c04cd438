"""Precision, recall, density and coverage agree with their papers, and their intervals hold."""

import numpy as np
import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from cyclegan.evaluation import manifolds
from cyclegan.evaluation.manifolds import GROUPS, NAMES, manifold_scores

Features = np.ndarray


def values(translated: Features, real: Features) -> dict[str, float]:
    return {name: score.value for name, score in manifold_scores(translated, real).items()}


def plain_scores(translated: Features, real: Features, k: int, k_density: int) -> dict[str, float]:
    """Return the four scores as the papers define them, by loops over pictures."""

    def distance(a: Features, b: Features) -> float:
        return float(np.sqrt(np.square(a - b).sum()))

    def radius(pictures: Features, i: int, k: int) -> float:
        others = [distance(pictures[i], pictures[j]) for j in range(len(pictures)) if j != i]
        return sorted(others)[k - 1]

    def is_in_manifold(picture: Features, pictures: Features) -> bool:
        return any(distance(picture, pictures[i]) <= radius(pictures, i, k) for i in range(len(pictures)))

    balls = [radius(real, i, k_density) for i in range(len(real))]
    held = [[distance(x, y) < ball for y in translated] for x, ball in zip(real, balls, strict=True)]
    return {
        "precision": sum(is_in_manifold(y, real) for y in translated) / len(translated),
        "recall": sum(is_in_manifold(x, translated) for x in real) / len(real),
        "density": sum(map(sum, held)) / (k_density * len(translated)),
        "coverage": sum(map(any, held)) / len(real),
    }


@pytest.mark.parametrize(
    ("translations", "reals", "ks"), [(30, 24, (3, 5)), (6, 9, (3, 4)), (9, 4, (2, 2)), (3, 3, (1, 1))]
)
def test_scores_equal_their_definitions(translations, reals, ks):
    random = np.random.default_rng(translations)
    translated, real = random.normal(size=(translations, 4)) * 0.8 + 0.3, random.normal(size=(reals, 4))
    found = manifold_scores(translated, real)
    assert {name: score.value for name, score in found.items()} == pytest.approx(plain_scores(translated, real, *ks))
    assert [found[name].k for name in NAMES] == [ks[0], ks[0], ks[1], ks[1]]


def test_precision_and_recall_agree_with_torch_fidelity():
    random = np.random.default_rng(0)
    translated, real = random.normal(size=(60, 8)) * 0.7 + 0.4, random.normal(size=(70, 8))
    options = {"prc_neighborhood": 3, "prc_batch_size": 100, "save_cpu_ram": False, "verbose": False}
    library = prc_features_to_metric(torch.from_numpy(translated), torch.from_numpy(real), **options)
    found = values(translated, real)
    assert 0.1 < found["recall"] < found["precision"] < 1
    assert (found["precision"], found["recall"]) == pytest.approx((library["precision"], library["recall"]))


def test_equal_sets_score_one():
    features = np.random.default_rng(0).normal(size=(50, 300))
    for score in manifold_scores(features, features.copy()).values():
        assert score.value == 1
        assert score.low <= 1 <= score.high


def test_distant_sets_score_zero():
    random = np.random.default_rng(0)
    found = manifold_scores(random.normal(size=(20, 4)), random.normal(size=(30, 4)) + 100)
    assert {(score.value, score.low, score.high) for score in found.values()} == {(0, 0, 0)}


def test_a_dropped_mode_lowers_recall_and_coverage_only():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 40, 2)) + np.array([[[0.0, 0.0]], [[100.0, 0.0]]])
    found = values(first, np.concatenate([first, second]))
    assert found == {"precision": 1, "recall": 0.5, "density": 1, "coverage": 0.5}


def test_an_invented_mode_lowers_precision_and_density_only():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 40, 2)) + np.array([[[0.0, 0.0]], [[100.0, 0.0]]])
    found = values(np.concatenate([first, second]), first)
    assert found == {"precision": 0.5, "recall": 1, "density": 0.5, "coverage": 1}


def test_equal_distributions_have_the_expected_density_and_coverage():
    random, n, m, k = np.random.default_rng(0), 40, 30, 5
    found = [values(random.normal(size=(m, 6)), random.normal(size=(n, 6))) for _ in range(100)]
    missed = np.prod([(n - i) / (n + m - i) for i in range(1, k + 1)])  # Naeem et al., lemma 2
    assert np.mean([scores["density"] for scores in found]) == pytest.approx(1, abs=0.03)
    assert np.mean([scores["coverage"] for scores in found]) == pytest.approx(1 - missed, abs=0.01)


def test_intervals_cover_the_mean_of_repetitions():
    random = np.random.default_rng(3)
    found = [manifold_scores(random.normal(size=(60, 8)) * 0.7 + 0.4, random.normal(size=(70, 8))) for _ in range(100)]
    for name in NAMES:
        mean = np.mean([scores[name].value for scores in found])
        assert sum(scores[name].low <= mean <= scores[name].high for scores in found) >= 93, name


def test_intervals_are_those_of_the_jackknife():
    random = np.random.default_rng(0)
    translated, real = random.normal(size=(9, 3)) * 0.8 + 0.3, random.normal(size=(8, 3))
    assert max(len(translated), len(real)) <= GROUPS  # a group is one picture
    found = manifold_scores(translated, real)
    without_real = [plain_scores(translated, np.delete(real, i, 0), 3, 5) for i in range(8)]
    without_translated = [plain_scores(np.delete(translated, i, 0), real, 3, 5) for i in range(9)]
    for name in NAMES:
        variances = [np.var([scores[name] for scores in left]) for left in (without_real, without_translated)]
        margin = 1.96 * np.sqrt(7 * variances[0] + 8 * variances[1])
        assert found[name].low == pytest.approx(max(found[name].value - margin, 0))


def test_many_pictures_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr(manifolds, "MAX_PICTURES", 20)
    random = np.random.default_rng(0)
    translated, real = random.normal(size=(50, 3)), random.normal(size=(20, 3))
    assert values(translated, real) == values(translated, real)
    assert (values(translated, real)["precision"] * 20).is_integer()
