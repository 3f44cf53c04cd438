"""How far two sets of pictures are apart, in the features of an extractor.

FID (Heusel et al. 2017) takes both sets for Gaussians. KID (Bińkowski et al. 2018) does not, and is unbiased however
few the pictures are.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

Features = Float64[np.ndarray, "_n _d"]  # a row for each picture

FEWEST = 3  # pictures, without one of which there is still a variance
SUBSETS, LARGEST_SUBSET = 100, 1000  # of KID, as its authors and all libraries have them
WITHIN_95 = 1.96  # standard errors, to either side
AT_A_TIME = 1000  # rows of a kernel matrix


@dataclass(frozen=True)
class KernelDistance:
    """KID, the mean over random subsets, and how sure it is."""

    mean: float
    deviation: float  # over the subsets, which overlap: not an error of the mean
    low: float  # the 95 % confidence interval, over other pictures of the same kinds
    high: float
    subsets: int
    subset_size: int


def frechet_distance(a: Features, b: Features) -> float:
    """Return the Fréchet distance of two Gaussians with the means and covariances of the features.

    Where the covariances are AᵀA and BᵀB, the trace of the root of their product is the sum of the singular values of
    ABᵀ. The eigenvalues of the product, which libraries take, lose half of the digits where there are fewer pictures
    than features, and take minutes.
    """
    root_a, root_b = root_of_covariance(a), root_of_covariance(b)
    apart = a.mean(0) - b.mean(0)
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(apart @ apart + np.square(root_a).sum() + np.square(root_b).sum() - 2 * shared)


def root_of_covariance(features: Features) -> Features:
    """Return a matrix A, of no more rows than columns, for which AᵀA is the covariance."""
    centered = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    return centered if len(centered) <= centered.shape[1] else np.linalg.qr(centered)[1]


def kernel_distance(a: Features, b: Features, *, seed: int = 0) -> KernelDistance:
    """Return KID over subsets as large as the smaller set allows, as torch-fidelity calculates it."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    size = min(len(a), len(b), LARGEST_SUBSET)
    asked = {"kid_subsets": SUBSETS, "kid_subset_size": size, "rng_seed": seed, "verbose": False}
    found = kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), **asked)
    mean, margin = found[KEY_METRIC_KID_MEAN], WITHIN_95 * kernel_error(a, b)
    return KernelDistance(mean, found[KEY_METRIC_KID_STD], mean - margin, mean + margin, SUBSETS, size)


def kernel_error(a: Features, b: Features) -> float:
    """Return KID's standard error over all pictures: what it becomes without each one of them (the jackknife)."""
    return float(np.sqrt(_variance_without_each(a, b) + _variance_without_each(b, a)))


def _variance_without_each(one: Features, other: Features) -> float:
    left, others = len(one) - 1, len(other)
    to_itself = (np.square(one).mean(1) + 1) ** 3
    within, across = affinities(one, one) - to_itself, affinities(one, other)
    without = (within.sum() - 2 * within) / (left * (left - 1)) - 2 * (across.sum() - across) / (left * others)
    return float(left * without.var())


def affinities(one: Features, other: Features) -> np.ndarray:
    """Return the sum of the kernel of each picture with all those of another set, n."""
    from torch_fidelity.metric_kid import kernel_poly

    blocks = (one[start : start + AT_A_TIME] for start in range(0, len(one), AT_A_TIME))
    return np.concatenate([kernel_poly(block, other).sum(1) for block in blocks])
