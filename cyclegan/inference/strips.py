"""Pictures of any size through the ResNet generator, exactly, in strips.

A convolution needs a few rows above and below, so strips can pass through the network from top to bottom. An instance
norm needs the mean and variance of the whole picture, so strips pass once up to each norm, which collects statistics,
before they pass through it. The activations before the residual blocks are cached between these passes: a quarter of
the height and width, so the full-size activations of a large picture never exist. All passes together are 1.12 times
the arithmetic of one; there is no seam, and nothing is approximated.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cyclegan.inference.padding import PaddedPicture, fastest_memory_format
from cyclegan.models.layers import EPSILON, InstanceNorm
from cyclegan.models.resnet import ResNetGenerator

Strip = Float[Tensor, "1 _c _h _w"]
Strips = Iterator[Strip]  # strips of one picture, back to back from top to bottom


class NormStatistics:
    """Mean and variance of each channel, collected strip by strip (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(1, dtype=torch.float64)
        self.squares = torch.zeros(1, dtype=torch.float64)  # sum of the squared distances from the mean

    def add(self, strip: Strip) -> None:
        """Add a strip; a batch norm of momentum 1 is the fastest way to its mean and variance."""
        mean, variance = torch.zeros((2, strip.shape[1]), device=strip.device)
        F.batch_norm(strip, mean, variance, training=True, momentum=1.0)
        count = strip.shape[2] * strip.shape[3]
        total = self.count + count
        delta = mean.double() - self.mean.to(mean.device)
        self.squares = self.squares.to(mean.device) + variance.double() * (count - 1)
        self.squares += delta**2 * (self.count * count / total)
        self.mean = self.mean.to(mean.device) + delta * (count / total)
        self.count = total

    def normalise(self, strip: Strip) -> Strip:
        """Normalise a strip by the mean and variance of the whole picture."""
        return F.batch_norm(strip, self.mean.float(), (self.squares / self.count).float(), eps=EPSILON)


Statistics = dict[nn.Module, NormStatistics]  # of the whole picture, by norm


def translate_in_strips(
    generator: ResNetGenerator, picture: PaddedPicture, *, strip_height: int, cache_dtype: torch.dtype
) -> Strips:
    """Yield the translated picture, strip by strip, from top to bottom.

    A strip is `strip_height` pixels high; activations are cached between the passes in the type `cache_dtype`.
    """
    encoder, decoder = list(generator.encoder), list(generator.decoder)
    statistics: Statistics = {}

    def inputs() -> Strips:
        for top in range(0, picture.height, strip_height):
            yield picture.rows(top, min(top + strip_height, picture.height))

    def before_norm(strips: Strips, part: Sequence[nn.Module], index: int, start: int = 0) -> Strips:
        """Return the inputs of the norm at `index`, whose statistics are collected on the way."""
        return collect_statistics(apply_layers(strips, part[start:index], statistics), part[index], statistics)

    # One pass for each norm of the encoder; the last one's inputs are cached, as they are small enough.
    cache, inner = (ActivationCache(picture, cache_dtype, strip_height=max(strip_height // 4, 1)) for _ in range(2))
    *early, last = norm_indices(encoder)
    for index in early:
        consume(before_norm(inputs(), encoder, index))
    cache.store(before_norm(inputs(), encoder, last))
    cache.store(apply_layers(cache.strips(), encoder[last:], statistics))

    # The input of a residual block stays in one cache while its branch goes through the other.
    for residual_block in generator.residual_blocks:
        block = list(residual_block.body)
        first, second = norm_indices(block)
        inner.store(before_norm(cache.strips(), block, first))
        inner.store(before_norm(inner.strips(), block, second, start=first))
        cache.add(apply_layers(inner.strips(), block[second:], statistics))

    # The decoder's activations are too large to be cached, so each norm needs a pass from the cache.
    for index in norm_indices(decoder):
        consume(before_norm(cache.strips(), decoder, index))
    yield from apply_layers(cache.strips(), decoder, statistics)


def cache_shape(picture: PaddedPicture) -> tuple[int, int, int, int]:
    """Return the shape of the activations before the residual blocks."""
    stem = next(layer for layer in picture.generator.modules() if isinstance(layer, nn.Conv2d))
    return 1, stem.out_channels * 4, picture.height // 4, picture.width // 4


def cache_bytes(picture: PaddedPicture) -> int:
    """Return the bytes of both caches in the type of the picture."""
    return 2 * math.prod(cache_shape(picture)) * picture.dtype.itemsize


class ActivationCache:
    """The activations of one picture at one layer; rows that have been read may be overwritten."""

    def __init__(self, picture: PaddedPicture, dtype: torch.dtype, *, strip_height: int) -> None:
        self.compute_dtype = picture.dtype
        self.strip_height = strip_height
        memory_format = fastest_memory_format(picture.device, picture.dtype)
        self.values = torch.empty(cache_shape(picture), dtype=dtype, device=picture.device, memory_format=memory_format)

    def strips(self) -> Strips:
        """Yield the activations."""
        for top in range(0, self.values.shape[2], self.strip_height):
            yield self.values[:, :, top : top + self.strip_height].to(self.compute_dtype)

    def store(self, strips: Strips) -> None:
        """Replace the activations."""
        top = 0
        for strip in strips:
            self.values[:, :, top : top + strip.shape[2]] = strip
            top += strip.shape[2]

    def add(self, strips: Strips) -> None:
        """Add to the activations."""
        top = 0
        for strip in strips:
            self.values[:, :, top : top + strip.shape[2]] += strip
            top += strip.shape[2]


def norm_indices(layers: Sequence[nn.Module]) -> list[int]:
    """Return the indices of the norms among the layers."""
    return [index for index, layer in enumerate(layers) if isinstance(layer, InstanceNorm | nn.BatchNorm2d)]


def collect_statistics(strips: Strips, norm: nn.Module, statistics: Statistics) -> Strips:
    """Yield the strips, and collect their statistics for `norm`."""
    statistics[norm] = NormStatistics()
    for strip in strips:
        statistics[norm].add(strip)
        yield strip


def consume(strips: Strips) -> None:
    """Compute all strips, for the statistics that are collected on the way."""
    for _ in strips:
        pass


def apply_layers(strips: Strips, layers: Sequence[nn.Module], statistics: Statistics) -> Strips:
    """Apply layers to strips; norms use the statistics of the whole picture."""
    border = 0
    for layer in layers:
        if isinstance(layer, nn.ReflectionPad2d):
            border = int(layer.padding[0])  # of the convolution that follows
        elif isinstance(layer, nn.Conv2d):
            strips, border = convolve(strips, layer, border), 0
        elif isinstance(layer, nn.ConvTranspose2d):
            strips = upsample(strips, layer)
        elif isinstance(layer, InstanceNorm):
            strips = map(statistics[layer].normalise, strips)
        else:
            strips = map(layer, strips)
    return strips


def convolve(strips: Strips, layer: nn.Conv2d, border: int) -> Strips:
    """Convolve strips, with `border` reflected pixels on each side, or else the zero padding of the layer."""
    above, stride = border or int(layer.padding[0]), layer.stride[0]
    mode = "reflect" if border else "constant"

    def rows_ready(held: Strip) -> int:
        return max(held.shape[2] - layer.kernel_size[0] + stride, 0) // stride

    def output(held: Strip) -> Strip:
        return F.conv2d(F.pad(held, (above, above, 0, 0), mode=mode), layer.weight, layer.bias, layer.stride)

    held, started = None, False
    for strip in strips:
        held = strip if held is None else torch.cat([held, strip], dim=2)
        if not started and held.shape[2] > above:
            held, started = F.pad(held, (0, 0, above, 0), mode=mode), True
        if started and rows_ready(held):
            yield output(held)
            held = held[:, :, rows_ready(held) * stride :]
    assert held is not None
    held = F.pad(held, (0, 0, 0, above), mode=mode)
    if rows_ready(held):
        yield output(held)


def upsample(strips: Strips, layer: nn.ConvTranspose2d) -> Strips:
    """Apply a transposed convolution of stride 2; each row but the last needs the one below it."""
    held = None
    for strip in strips:
        held = strip if held is None else torch.cat([held, strip], dim=2)
        if held.shape[2] > 1:
            yield layer(held)[:, :, :-2]
            held = held[:, :, -1:]
    assert held is not None
    yield layer(held)
