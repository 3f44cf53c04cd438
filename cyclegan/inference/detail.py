"""Translations at the full size of a photograph, with the photograph's own detail.

The network sees the whole photograph at a small size. What it changes there is fitted, around each pixel, as a linear
function of the luma: change = slope * luma + offset (a guided filter, He, Sun and Tang 2013, with the fit made on a
small picture as in He and Sun 2015, 1505.00996). Slope and offset are smooth, so they can be enlarged; applied to the
luma of the full photograph, they follow its edges without halos. No pixel of the output is the network's own: what the
network paints finer than some pixels of the small picture (dots, checkerboards, but stripes too) stays away.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cyclegan.images import Images, Pixels
from cyclegan.images.pixels import LUMA, luma

RADIUS = 2  # pixels of the small picture around each, of the fit
FLAT_VARIANCE = 0.01  # of the luma in [-1, 1]: where it varies less, the change does not follow it
SLOPES = (-0.3, 0.3)  # local contrast becomes between 0.7 and 1.3 times what it was
STRIP_ROWS = 128


def with_detail(pixels: Pixels, source: Images, translation: Images, *, color_only: bool = False) -> Pixels:
    """Return a photograph, changed as its small copy `source` is changed by `translation`.

    `pixels` (h w c) are the photograph's, of 8 or 16 bits and as many channels as the small pictures (1 c h w) have;
    so are the output's. With `color_only` the photograph keeps its luma. Memory grows with the output alone.
    """
    change = translation - source
    if color_only:
        change = without_luma(change)
    slope, offset = linear_fit(luma(source), change)
    if color_only:  # again, as each channel's slope has limits of its own
        slope, offset = without_luma(slope), without_luma(offset)
    return apply_fit(pixels, slope, offset)


def linear_fit(guide: Images, change: Images) -> tuple[Images, Images]:
    """Return slope and offset (1 c h w) of the change as a function of the guide (1 1 h w) around each pixel."""
    mean_guide, mean_change = window_mean(guide), window_mean(change)
    variance = window_mean(guide * guide) - mean_guide * mean_guide
    covariance = window_mean(guide * change) - mean_guide * mean_change
    slope = (covariance / (variance + FLAT_VARIANCE)).clamp(*SLOPES)
    return window_mean(slope), window_mean(mean_change - slope * mean_guide)


def apply_fit(pixels: Pixels, slope: Images, offset: Images) -> Pixels:
    """Return `pixels + slope * luma + offset`, both enlarged in strips of the output.

    It is computed on pixel values h w c as they are: a value v is 2 v / white - 1 in [-1, 1].
    """
    height, width, channels = pixels.shape
    white = float(np.iinfo(pixels.dtype).max)
    fit = torch.cat([slope, (offset - slope) * (white / 2)], dim=1)
    fit = F.interpolate(fit, (fit.shape[2], width), mode="bilinear")[0].permute(1, 2, 0).cpu()
    slopes, offsets = fit[:, :, :channels].contiguous(), fit[:, :, channels:].contiguous()
    # Positions of the rows of the output among those of the fit, as `interpolate` defines them.
    rows = ((torch.arange(height) + 0.5) * len(fit) / height - 0.5).clamp(0, len(fit) - 1)
    output = np.empty_like(pixels)
    for top in range(0, height, STRIP_ROWS):
        position = rows[top : top + STRIP_ROWS]
        strip = torch.from_numpy(pixels[top : top + STRIP_ROWS].astype(np.float32))
        changed = strip + rows_between(offsets, position)
        changed.addcmul_(rows_between(slopes, position), luma_of_values(strip))
        output[top : top + STRIP_ROWS] = changed.round_().clamp_(0, white).numpy()
    return output


def rows_between(values: Tensor, position: Tensor) -> Tensor:
    """Return rows of values (h w c) at fractional positions, linearly interpolated."""
    above = position.long()
    below = (above + 1).clamp(max=len(values) - 1)
    return torch.lerp(values[above], values[below], (position - above).view(-1, 1, 1))


def luma_of_values(values: Tensor) -> Tensor:
    """Return the luma (h w 1) of pixel values (h w c)."""
    return values if values.shape[2] == 1 else (values @ torch.from_numpy(LUMA))[..., None]


def without_luma(change: Images) -> Images:
    """Return a change of images without its part that changes their luma."""
    return change - luma(change)


def window_mean(images: Images) -> Images:
    """Return the mean of the window around each pixel."""
    padded = F.pad(images, (RADIUS,) * 4, mode="reflect")
    return F.avg_pool2d(padded, 2 * RADIUS + 1, stride=1)
