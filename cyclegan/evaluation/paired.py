"""Comparison of pictures pixel by pixel: a translation and its source, or its true counterpart."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cyclegan.errors import DataError, PictureError
from cyclegan.evaluation.intervals import Interval, bootstrap_interval
from cyclegan.evaluation.perceptual import LPIPS_MIN_SIDE, Lpips
from cyclegan.evaluation.picture_folder import PictureFolder
from cyclegan.images import Pixels
from cyclegan.text import printable

SSIM_WINDOW = 11  # pixels, the window of SSIM (Wang et al. 2004)


@dataclass(frozen=True)
class PairedScores:
    """Means over pairs of pictures, and their 95 % confidence intervals, None for fewer than 3 pairs."""

    pictures: int
    ssim: float  # 1: equal
    psnr: float | None  # decibels; None where a pair is equal, which makes it infinite
    mean_absolute_error: float  # in pixel values of 0 to 255
    ssim_interval: Interval | None
    psnr_interval: Interval | None
    mean_absolute_error_interval: Interval | None
    lpips: float | None = None  # 0: equal; None: not measured
    lpips_interval: Interval | None = None


def compare_pairs(translated: PictureFolder, others: PictureFolder, lpips: Lpips | None = None) -> PairedScores:
    """Compare pictures with the same names in two folders; a picture without a counterpart counts as failed.

    LPIPS is measured if it is given, and every pair is large enough.
    """
    scores = np.array([paired_scores(picture, other, lpips) for picture, other in pairs(translated, others)])
    if not len(scores):
        raise DataError(
            f"no picture of {printable(translated.folder)} has a counterpart in {printable(others.folder)}.",
            "Counterparts have the same names, apart from their suffix.",
        )
    ssim, psnr, error, distance = scores.mean(0).tolist()
    of_ssim, of_psnr, of_error, of_distance = (bootstrap_interval(column) for column in scores.T)
    return PairedScores(
        pictures=len(scores),
        ssim=ssim,
        psnr=psnr if np.isfinite(psnr) else None,
        mean_absolute_error=error,
        lpips=distance if np.isfinite(distance) else None,
        ssim_interval=of_ssim,
        psnr_interval=of_psnr,
        mean_absolute_error_interval=of_error,
        lpips_interval=of_distance,
    )


def pairs(translated: PictureFolder, others: PictureFolder) -> Iterator[tuple[Pixels, Pixels]]:
    """Yield the pictures with the same names in two folders."""
    for path, pixels in translated.pictures():
        counterpart = others.by_name.get(translated.name_of(path))
        if counterpart is None:
            message = f"{printable(path)} has no counterpart in {printable(others.folder)}."
            translated.failed[path] = PictureError(message)
            continue
        other = others.read(counterpart)
        if other is None:
            continue
        if pixels.shape != other.shape or min(pixels.shape[:2]) < SSIM_WINDOW:
            translated.failed[path] = PictureError(
                f"{printable(path)} cannot be compared with {printable(counterpart)}: they differ in size, or are "
                f"smaller than {SSIM_WINDOW} pixels.",
                "Give a --size.",
            )
            continue
        yield pixels, other


def paired_scores(picture: Pixels, other: Pixels, lpips: Lpips | None) -> tuple[float, float, float, float]:
    """Return SSIM, PSNR, the mean absolute error and LPIPS of two pictures of one size; NaN: not measured."""
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    a, b = to_batch(picture), to_batch(other)
    ssim = structural_similarity_index_measure(a, b, data_range=255.0)
    psnr = peak_signal_noise_ratio(a, b, data_range=255.0)
    assert isinstance(ssim, Tensor)
    distance = float(lpips(a, b)) if lpips and min(a.shape[2:]) >= LPIPS_MIN_SIDE else math.nan
    return float(ssim), float(psnr), float((a - b).abs().mean()), distance


def to_batch(pixels: Pixels) -> Tensor:
    """Return a picture as a batch of one, 1 3 h w, of 0 to 255; SSIM of doubles would take ten times as long."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float()
