"""Removes the checkerboard of a translation: the fine pattern that transposed convolutions draw (Odena et al. 2016).

A ResNet generator doubles its maps twice, so its pattern repeats every 4 pixels, over a wide area. A mean over every
fourth pixel around each finds it, and nearly nothing else: what does not repeat averages out. What the source itself
repeats stays.
"""

import numpy as np
import torch
from torch import Tensor

from cyclegan.images import Pixels

PERIOD = 4  # pixels; what repeats every 2 pixels also repeats every 4
REPEATS = 7  # of the period on each side of a pixel, the last one of weight 0
HALO = PERIOD - 1 + PERIOD * (REPEATS - 1)  # pixels around each that the pattern depends on
LIMIT = 8 / 255  # of white; what is stronger is an edge, whose echoes would show every 4 pixels
STRIP_ROWS = 256


def without_checkerboard(source: Pixels, translation: Pixels) -> Pixels:
    """Return a translation (h w c, 8 or 16 bits) without the checkerboard that its source (h w c) does not have."""
    output = np.empty_like(translation)
    white, height = np.iinfo(translation.dtype).max, len(translation)
    for top in range(0, height, STRIP_ROWS):
        first, last = max(top - HALO, 0), min(top + STRIP_ROWS + HALO, height)
        translated = torch.from_numpy(translation[first:last].astype(np.float32))
        change = translated - torch.from_numpy(source[first:last].astype(np.float32))
        cleaned = (translated - checkerboard(change, white * LIMIT)).round_().clamp_(0, white).numpy()
        output[top : top + STRIP_ROWS] = cleaned[top - first :][:STRIP_ROWS]
    return output


def checkerboard(values: Tensor, limit: float) -> Tensor:
    """Return what repeats every 4 pixels in values (h w c), but not their mean; an edge counts up to the limit."""
    fine = values - triangle_mean(values, PERIOD, step=1)  # that mean has none of the pattern
    return triangle_mean(fine.clamp_(-limit, limit), REPEATS, step=PERIOD)


def triangle_mean(values: Tensor, reach: int, step: int) -> Tensor:
    """Return the mean of every `step`-th of the values (h w c) around each; weights fall linearly to 0 at `reach`."""
    for axis in (0, 1):
        size = values.shape[axis]
        total = torch.zeros_like(values)
        total_weight = torch.zeros([size if dim == axis else 1 for dim in range(3)])
        for repeat in range(1 - reach, reach):
            weight, offset = reach - abs(repeat), repeat * step
            inside = size - abs(offset)  # so many neighbours lie within the picture
            if inside > 0:
                here, there = max(-offset, 0), max(offset, 0)
                total.narrow(axis, here, inside).add_(values.narrow(axis, there, inside), alpha=weight)
                total_weight.narrow(axis, here, inside).add_(weight)
        values = total / total_weight
    return values
