"""Pictures of any size through any generator, in overlapping tiles whose instance norms agree.

If each tile were normalised by its own mean and variance, each would get its own colours. So a thumbnail of the whole
picture goes through the network first, and every tile is normalised by the thumbnail's mean and variance at the same
layer (Chen et al. 2021, "Towards Ultra-Resolution Neural Style Transfer via Thumbnail Instance Normalization").
Neighbours are cross-faded where they overlap. The result is approximate; for the ResNet generator, `inference.strips`
is exact.
"""

import copy
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cyclegan.images import Images, resized, to_images
from cyclegan.inference.padding import PaddedPicture, multiple_of
from cyclegan.models.layers import EPSILON, replace_instance_norms

OVERLAP = 64  # pixels in which neighbours fade into each other, at least


class FrozenInstanceNorm(nn.Module):
    """An instance norm that uses the statistics of its first input for all later ones."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics: tuple[Tensor, Tensor] | None = None  # standard deviation and mean

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return `x` normalised by the statistics of the first input."""
        if self.statistics is None:
            variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0, keepdim=True)
            self.statistics = (variance + EPSILON).sqrt(), mean
        deviation, mean = self.statistics
        return ((x.float() - mean) / deviation).to(x.dtype)


def with_statistics_of(generator: nn.Module, thumbnail: Images) -> nn.Module:
    """Return a generator with the same weights, whose norms use the statistics of the thumbnail."""
    shared = {id(weight): weight for weight in [*generator.parameters(), *generator.buffers()]}
    frozen = copy.deepcopy(generator, memo=shared)
    replace_instance_norms(frozen, FrozenInstanceNorm)
    frozen(thumbnail)
    return frozen


def translate_in_tiles(generator: nn.Module, picture: PaddedPicture, tile: int) -> Iterator[Images]:
    """Yield the translated picture in strips, from top to bottom, made of tiles of about `tile` x `tile` pixels."""
    stride = picture.generator.stride
    overlap = multiple_of(stride, OVERLAP)
    side = multiple_of(stride, max(tile, 2 * overlap))
    frozen = with_statistics_of(generator, thumbnail(picture, side))

    def translate_row(top: int) -> Images:
        rows = picture.rows(top, min(top + side, picture.height))
        parts = (
            (left, frozen(rows[:, :, :, left : left + side]).float())
            for left in tile_starts(picture.width, side, overlap)
        )
        return torch.cat(list(cross_faded(parts, dim=3)), dim=3)

    yield from cross_faded(((top, translate_row(top)) for top in tile_starts(picture.height, side, overlap)), dim=2)


def thumbnail(picture: PaddedPicture, side: int) -> Images:
    """Return the whole picture, reduced to about the area of one tile of `side` x `side` pixels."""
    height, width = picture.images.shape[2:]
    scale = min((side**2 / height / width) ** 0.5, 1)
    small = [multiple_of(picture.generator.stride, length * scale) for length in (height, width)]
    if picture.images.is_floating_point():
        images = F.interpolate(picture.images.float(), small, mode="bicubic", antialias=True)
    else:  # the whole picture in floats would take four times its memory
        pixels = picture.images[0].permute(1, 2, 0).cpu().numpy()
        images = to_images(resized(pixels, small[1], small[0]))
    return images.to(picture.device, picture.dtype)


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Return the starts of tiles that cover `length`, each overlapping the previous one by at least `overlap`."""
    inner = list(range(0, max(length - tile, 0), tile - overlap))
    return [*inner, max(length - tile, 0)]


def cross_faded(parts: Iterable[tuple[int, Tensor]], dim: int) -> Iterator[Tensor]:
    """Yield parts with their starts along `dim`, back to back, cross-faded where they overlap."""
    held, begin = None, 0
    for start, part in parts:
        if held is None:
            held, begin = part, start
            continue
        yield held.narrow(dim, 0, start - begin)
        common = held.shape[dim] - (start - begin)
        ramp = (torch.arange(common, device=part.device) + 0.5) / common
        ramp = ramp.reshape([-1 if axis == dim else 1 for axis in range(part.ndim)])
        mixed = torch.lerp(held.narrow(dim, start - begin, common), part.narrow(dim, 0, common), ramp)
        held, begin = torch.cat([mixed, part.narrow(dim, common, part.shape[dim] - common)], dim=dim), start
    if held is not None:
        yield held
