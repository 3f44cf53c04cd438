"""Distances of two sets of pictures in the features of an extractor.

FID (Heusel et al. 2017) assumes that both are Gaussian. KID (Bińkowski et al. 2018) does not, and is unbiased for any
number of pictures.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from cyclegan.evaluation.intervals import Z_95

Features = Float64[np.ndarray, "_n _d"]  # a row for each picture

KID_SUBSETS, MAX_SUBSET_SIZE = 100, 1000  # as in the paper and in all libraries
KERNEL_ROWS = 1000  # of the kernel matrix that are in memory at once


@dataclass(frozen=True)
class KernelDistance:
    """KID, the mean over random subsets, and its confidence interval."""

    mean: float
    deviation: float  # standard deviation over the subsets; they overlap, so it is no error of the mean
    low: float  # 95 % confidence interval
    high: float
    subsets: int
    subset_size: int


def frechet_distance(a: Features, b: Features) -> float:
    """Return the Fréchet distance of two Gaussians with the means and covariances of the features.

    For covariances AᵀA and BᵀB, the trace of the square root of their product is the sum of the singular values of ABᵀ.
    Libraries use the eigenvalues of the product, which lose half of the digits where there are fewer pictures than
    features, and take minutes.
    """
    root_a, root_b = covariance_root(a), covariance_root(b)
    difference = a.mean(0) - b.mean(0)
    cross = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(difference @ difference + np.square(root_a).sum() + np.square(root_b).sum() - 2 * cross)


def covariance_root(features: Features) -> Features:
    """Return a matrix A, of no more rows than columns, for which AᵀA is the covariance."""
    centered = (features - features.mean(0)) / np.sqrt(len(features) - 1)
    return centered if len(centered) <= centered.shape[1] else np.linalg.qr(centered)[1]


def kernel_distance(a: Features, b: Features, *, seed: int = 0) -> KernelDistance:
    """Return KID as torch-fidelity computes it, over subsets as large as the smaller set allows."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    size = min(len(a), len(b), MAX_SUBSET_SIZE)
    options = {"kid_subsets": KID_SUBSETS, "kid_subset_size": size, "rng_seed": seed, "verbose": False}
    result = kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), **options)
    mean, margin = result[KEY_METRIC_KID_MEAN], Z_95 * kid_standard_error(a, b)
    return KernelDistance(mean, result[KEY_METRIC_KID_STD], mean - margin, mean + margin, KID_SUBSETS, size)


def kid_standard_error(a: Features, b: Features) -> float:
    """Return the jackknife standard error of KID, over the pictures of both sets."""
    return float(np.sqrt(_jackknife_variance(a, b) + _jackknife_variance(b, a)))


def _jackknife_variance(x: Features, y: Features) -> float:
    """Return (n - 1) times the variance of KID without each of the n rows of x, left out in turn."""
    n = len(x) - 1
    diagonal = (np.square(x).mean(1) + 1) ** 3
    xx, xy = kernel_sums(x, x) - diagonal, kernel_sums(x, y)
    without_each = (xx.sum() - 2 * xx) / (n * (n - 1)) - 2 * (xy.sum() - xy) / (n * len(y))
    return float(n * without_each.var())


def kernel_sums(x: Features, y: Features) -> np.ndarray:
    """Return the kernel of each row of x with all rows of y, summed: an array of n."""
    from torch_fidelity.metric_kid import kernel_poly

    blocks = (x[start : start + KERNEL_ROWS] for start in range(0, len(x), KERNEL_ROWS))
    return np.concatenate([kernel_poly(block, y).sum(1) for block in blocks])
