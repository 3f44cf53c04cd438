"""How alike two pictures are whose pixels belong together: a translation and its source, or the true answer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cyclegan.errors import DataError, PictureError, printable
from cyclegan.evaluation.folders import Folder
from cyclegan.images import Pixels

SMALLEST = 11  # pixels, the window of SSIM (Wang et al. 2004)


@dataclass(frozen=True)
class Likeness:
    """Means over pairs of pictures."""

    pictures: int
    ssim: float  # 1: the same structure
    psnr: float | None  # decibels; none where a picture is the very same, which would be infinite
    mean_absolute_error: float  # grey levels of 255


def compare(ours: Folder, theirs: Folder) -> Likeness:
    """Compare the pictures of the same names in two folders; those without a counterpart are noted as failed."""
    measured = np.array([measures(one, other) for one, other in pairs(ours, theirs)])
    if not len(measured):
        raise DataError(
            f"no picture of {printable(ours.place)} has a counterpart in {printable(theirs.place)}.",
            "Counterparts have the same names, but for their suffix.",
        )
    ssim, psnr, error = measured.mean(0).tolist()
    return Likeness(len(measured), ssim, psnr if np.isfinite(psnr) else None, error)


def pairs(ours: Folder, theirs: Folder) -> Iterator[tuple[Pixels, Pixels]]:
    """Yield the pictures of the same names in two folders."""
    for path, pixels in ours.pictures():
        counterpart = theirs.by_name.get(ours.name_of(path))
        if counterpart is None:
            ours.failed[path] = PictureError(f"{printable(path)} has no counterpart in {printable(theirs.place)}.")
            continue
        other = theirs.read(counterpart)
        if other is None:
            continue
        if pixels.shape != other.shape or min(pixels.shape[:2]) < SMALLEST:
            ours.failed[path] = PictureError(
                f"{printable(path)} cannot be compared with {printable(counterpart)}: they differ in size, or are "
                f"smaller than {SMALLEST} pixels.",
                "Give a --size.",
            )
            continue
        yield pixels, other


def measures(one: Pixels, other: Pixels) -> tuple[float, float, float]:
    """Return SSIM, PSNR and the mean absolute error of two pictures of one size."""
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    a, b = as_levels(one), as_levels(other)
    ssim = structural_similarity_index_measure(a, b, data_range=255.0)
    psnr = peak_signal_noise_ratio(a, b, data_range=255.0)
    assert isinstance(ssim, Tensor)
    return float(ssim), float(psnr), float((a - b).abs().mean())


def as_levels(pixels: Pixels) -> Tensor:
    """Return a picture as a batch of one, 1 3 h w, of levels; in doubles, SSIM would take ten times as long."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float()
