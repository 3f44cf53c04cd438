"""How much memory a training takes, counted from what one step keeps for its gradients.

The step is played on torch's `meta` device, where tensors have shapes and no numbers, so counting costs a second and
follows the networks and the step as they are. What a device needs beyond what is counted was measured on a CPU, where
the estimate is within 6% of the peak (docs/benchmarks.md); on a GPU it was not.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cyclegan.config import Config
from cyclegan.models import Networks, resolved, skeleton
from cyclegan.training.pool import ImagePool
from cyclegan.training.step import Game, update_generators

META = torch.device("meta")
COPIES = 4  # of each weight: itself, its gradient, and two moments of Adam
SPARED = 0.9  # share of the memory that training may count on
WORKING = 1.2  # times what is kept: what comes and goes beside it
CONSTANT = 57 * 2**20  # bytes: of the libraries
RECOMPUTED_SHARE = 0.24  # of what is kept, where activations are computed again (measured on a CPU)
CAST_SHARE = 0.5  # of the weights: their copies in bf16


@dataclass(frozen=True)
class Needs:
    """What a training keeps in memory."""

    fixed: float  # bytes, whatever the batch and size
    pooled: float  # bytes for each pixel of a training image, whatever the batch
    kept: float  # bytes for each pixel of each pair of a batch

    def at(self, size: int, *, batch_size: int) -> int:
        """Return the bytes that training takes at a size in pixels."""
        return int(self.fixed + size**2 * (self.pooled + self.kept * batch_size))

    def largest_batch(self, size: int, room: int) -> int:
        """Return how many pairs fit into so many bytes."""
        return max(0, int((room - self.at(size, batch_size=0)) / (self.kept * size**2)))

    def largest_size(self, room: int, *, upto: int) -> int:
        """Return the size, in pixels that divide by 4, at which one pair fits into so many bytes; 0: none does."""
        sizes = range(upto // 4 * 4, 15, -4)
        return next((size for size in sizes if self.at(size, batch_size=1) <= room), 0)


def needs_of(config: Config, *, half: bool) -> Needs:
    """Count what a training with these settings keeps, in fp32 or with `half` in bf16."""
    networks = on_meta(config)
    weights = {name: sum(weight.nbytes for weight in network.parameters()) for name, network in networks.named()}
    averages = weights["a2b"] + weights["b2a"] if config.game.averaging else 0
    casts = CAST_SHARE * sum(weights.values()) if half else 0
    data = config.data
    kept = kept_for_gradients(networks, config, torch.bfloat16 if half else torch.float32) * WORKING
    recomputed = RECOMPUTED_SHARE if config.machine.activation_checkpointing else 1
    return Needs(
        fixed=COPIES * sum(weights.values()) + averages + casts + CONSTANT,
        pooled=config.game.pool_size * (data.channels_a + data.channels_b) * (2 if half else 4),
        kept=kept * recomputed / data.size**2,
    )


def largest_that_fits(config: Config, room: int, *, half: bool) -> str:
    """Return what to choose where a training does not fit into so many bytes of memory."""
    size, room = config.data.size, int(room * SPARED)
    needs = needs_of(config, half=half)
    frugal = replace(config, machine=replace(config.machine, activation_checkpointing=True))
    choices = []
    if batch := min(needs.largest_batch(size, room), config.game.batch_size - 1):
        choices.append(f"--batch-size {batch}")
    if config.generator.architecture == "resnet" and needs_of(frugal, half=half).largest_batch(size, room):
        choices.append("--set machine.activation_checkpointing=true")
    if largest := needs.largest_size(room, upto=size - 4):
        choices.append(f"--size {largest} --batch-size 1")
    if not choices:
        return "Choose a smaller generator.width, or a device with more memory."
    return f"By estimate these fit: {', or '.join(choices)}."


def on_meta(config: Config) -> Networks:
    """Return the four networks without their numbers."""
    a, b = config.data.channels_a, config.data.channels_b
    return Networks(
        a2b=skeleton(resolved(config), (a, b)),
        b2a=skeleton(resolved(config), (b, a)),
        disc_a=skeleton(config.discriminator, (a,)),
        disc_b=skeleton(config.discriminator, (b,)),
    )


def kept_for_gradients(
    networks: Networks, config: Config, dtype: torch.dtype = torch.float32, device: torch.device = META
) -> int:
    """Return the most bytes that the generators' update of one pair keeps to go backward, weights left out."""
    for _, network in networks.named():
        network.to(dtype)
    weights = {weight.untyped_storage()._cdata for _, network in networks.named() for weight in network.parameters()}
    kept: dict[int, Tensor] = {}
    counts: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    def go_backward(_: Tensor) -> None:
        counts.append(sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights))
        kept.clear()

    idle = torch.optim.SGD(networks.a2b.parameters(), lr=0.0)  # nothing goes backward, so it has nothing to do
    game = Game(networks, idle, idle, ImagePool(0, 0), ImagePool(0, 0), config.loss, go_backward)
    side = config.data.size
    real_a, real_b = (
        torch.zeros(1, channels, side, side, device=device, dtype=dtype)
        for channels in (config.data.channels_a, config.data.channels_b)
    )
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        update_generators(game, real_a, real_b)
    return max(counts)
