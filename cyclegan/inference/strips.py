"""Pictures of any size through the ResNet generator, exactly, in strips.

A convolution needs a few rows above and below, so rows can flow through the network from top to bottom. An instance
norm needs the mean and variance of the whole picture, so rows flow once up to each norm, where they are measured,
before they flow through it. What stands before the residual blocks is kept between these passes: a quarter of the
height and width, so the full-size activations of a large picture never exist. All passes together are 1.12 times the
arithmetic of one; there is no seam, and nothing is approximated.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cyclegan.inference.padding import PaddedPicture, layout
from cyclegan.models.layers import EPSILON, InstanceNorm
from cyclegan.models.resnet import ResidualBlock, ResNetGenerator

Strip = Float[Tensor, "1 _c _h _w"]
Rows = Iterator[Strip]  # strips of one picture, back to back from top to bottom


class Statistics:
    """Mean and variance of each channel, gathered strip by strip (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(1, dtype=torch.float64)
        self.squares = torch.zeros(1, dtype=torch.float64)  # sum of the squared distances from the mean

    def add(self, strip: Strip) -> None:
        """Count one more strip; a batch norm that is made to forget measures it soonest."""
        mean, variance = torch.zeros((2, strip.shape[1]), device=strip.device)
        F.batch_norm(strip, mean, variance, training=True, momentum=1.0)
        more = strip.shape[2] * strip.shape[3]
        total = self.count + more
        apart = mean.double() - self.mean.to(mean.device)
        self.squares = self.squares.to(mean.device) + variance.double() * (more - 1)
        self.squares += apart**2 * (self.count * more / total)
        self.mean = self.mean.to(mean.device) + apart * (more / total)
        self.count = total

    def normalise(self, strip: Strip) -> Strip:
        """Bring a strip to mean 0 and variance 1 as the whole picture has it."""
        return F.batch_norm(strip, self.mean.float(), (self.squares / self.count).float(), eps=EPSILON)


Known = dict[nn.Module, Statistics]  # what each norm has to know of the whole picture


def translate_in_strips(generator: ResNetGenerator, picture: PaddedPicture, *, rows: int, kept_as: torch.dtype) -> Rows:
    """Yield the redrawn picture, strip by strip, from top to bottom.

    `rows` of it are worked on at a time; what is kept between the passes is kept in the type `kept_as`.
    """
    layers = list(generator.body)
    blocks = [list(layer.body) for layer in layers if isinstance(layer, ResidualBlock)]
    first = next(place for place, layer in enumerate(layers) if isinstance(layer, ResidualBlock))
    before, after = layers[:first], layers[first + len(blocks) :]
    known: Known = {}

    def given() -> Rows:
        for top in range(0, picture.height, rows):
            yield picture.rows(top, min(top + rows, picture.height))

    *early, last = places_of_norms(before)
    for place in early:
        exhaust(measured(through(given(), before[:place], known), before[place], known))
    kept, changed = (Kept(picture, kept_as, at_a_time=max(rows // 4, 1)) for _ in range(2))
    kept.store(measured(through(given(), before[:last], known), before[last], known))
    kept.store(through(kept.strips(), before[last:], known))

    for block in blocks:
        first, second = places_of_norms(block)
        changed.store(measured(through(kept.strips(), block[:first], known), block[first], known))
        changed.store(measured(through(changed.strips(), block[first:second], known), block[second], known))
        kept.add(through(changed.strips(), block[second:], known))

    for place in places_of_norms(after):
        exhaust(measured(through(kept.strips(), after[:place], known), after[place], known))
    yield from through(kept.strips(), after, known)


def kept_shape(picture: PaddedPicture) -> tuple[int, int, int, int]:
    """Return the shape of what stands before the residual blocks."""
    stem = next(layer for layer in picture.generator.modules() if isinstance(layer, nn.Conv2d))
    return 1, stem.out_channels * 4, picture.height // 4, picture.width // 4


def kept_bytes(picture: PaddedPicture) -> int:
    """Return the bytes that are kept between the passes, unless they are rounded."""
    return 2 * math.prod(kept_shape(picture)) * picture.dtype.itemsize


class Kept:
    """The rows of one picture at one place of the network; those that have been read may be written over."""

    def __init__(self, picture: PaddedPicture, dtype: torch.dtype, *, at_a_time: int) -> None:
        self.computed = picture.dtype
        self.at_a_time = at_a_time
        order = layout(picture.device, picture.dtype)
        self.levels = torch.empty(kept_shape(picture), dtype=dtype, device=picture.device, memory_format=order)

    def strips(self) -> Rows:
        """Yield what is kept."""
        for top in range(0, self.levels.shape[2], self.at_a_time):
            yield self.levels[:, :, top : top + self.at_a_time].to(self.computed)

    def store(self, rows: Rows) -> None:
        """Keep these rows."""
        top = 0
        for strip in rows:
            self.levels[:, :, top : top + strip.shape[2]] = strip
            top += strip.shape[2]

    def add(self, rows: Rows) -> None:
        """Add these rows to what is kept."""
        top = 0
        for strip in rows:
            self.levels[:, :, top : top + strip.shape[2]] += strip
            top += strip.shape[2]


def places_of_norms(layers: Sequence[nn.Module]) -> list[int]:
    """Return where norms stand among the layers."""
    return [place for place, layer in enumerate(layers) if isinstance(layer, InstanceNorm | nn.BatchNorm2d)]


def measured(rows: Rows, norm: nn.Module, known: Known) -> Rows:
    """Pass rows on, and note what `norm` will have to know of them."""
    known[norm] = Statistics()
    for strip in rows:
        known[norm].add(strip)
        yield strip


def exhaust(rows: Rows) -> None:
    """Let all rows flow by, for what is measured on the way."""
    for _ in rows:
        pass


def through(rows: Rows, layers: Sequence[nn.Module], known: Known) -> Rows:
    """Let rows flow through the layers, whose norms know the whole picture."""
    border = 0
    for layer in layers:
        if isinstance(layer, nn.ReflectionPad2d):
            border = int(layer.padding[0])  # of the convolution that follows
        elif isinstance(layer, nn.Conv2d):
            rows, border = convolved(rows, layer, border), 0
        elif isinstance(layer, nn.ConvTranspose2d):
            rows = doubled(rows, layer)
        elif isinstance(layer, InstanceNorm):
            rows = map(known[layer].normalise, rows)
        else:
            rows = map(layer, rows)
    return rows


def convolved(rows: Rows, layer: nn.Conv2d, border: int) -> Rows:
    """Convolve rows, with a reflected border of so many pixels, or else the zeros that the layer asks for."""
    above, stride = border or int(layer.padding[0]), layer.stride[0]
    mode = "reflect" if border else "constant"

    def ready(held: Strip) -> int:
        return max(held.shape[2] - layer.kernel_size[0] + stride, 0) // stride

    def convolve(held: Strip) -> Strip:
        return F.conv2d(F.pad(held, (above, above, 0, 0), mode=mode), layer.weight, layer.bias, layer.stride)

    held, begun = None, False
    for strip in rows:
        held = strip if held is None else torch.cat([held, strip], dim=2)
        if not begun and held.shape[2] > above:
            held, begun = F.pad(held, (0, 0, above, 0), mode=mode), True
        if begun and ready(held):
            yield convolve(held)
            held = held[:, :, ready(held) * stride :]
    assert held is not None
    held = F.pad(held, (0, 0, 0, above), mode=mode)
    if ready(held):
        yield convolve(held)


def doubled(rows: Rows, layer: nn.ConvTranspose2d) -> Rows:
    """Convolve rows to twice their height and width; each row but the last needs the one below it."""
    held = None
    for strip in rows:
        held = strip if held is None else torch.cat([held, strip], dim=2)
        if held.shape[2] > 1:
            yield layer(held)[:, :, :-2]
            held = held[:, :, -1:]
    assert held is not None
    yield layer(held)
