"""One training step (Zhu et al. 2017, section 3): both generators, then both discriminators.

Images that go through the same network at the same moment go in one call: instance norm normalises each image by
itself, so no number changes.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from cyclegan.config import LossConfig
from cyclegan.diagnostics.measures import Numbers, discriminator_measures
from cyclegan.directions import DirectionName
from cyclegan.images import Images
from cyclegan.losses import discriminator_loss, gan_loss, l1, paired_l1, term_name
from cyclegan.models import discriminator_input
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.ema import ema_weight, update_ema
from cyclegan.training.pool import ImagePool
from cyclegan.training.state import TrainState, set_learning_rate

Losses = dict[str, Tensor]
Half = tuple[Losses, Numbers]  # of the update of one discriminator


@dataclass(frozen=True)
class Direction:
    """One direction of the cycle, source -> target -> source."""

    name: DirectionName
    generator: nn.Module
    inverse: nn.Module
    discriminator: nn.Module  # of the target domain
    augment: DiffAugment  # of what that discriminator sees
    cycle_weight: float
    identity_weight: float
    conditional: bool  # whether that discriminator sees source and image together
    is_pair: Tensor | None  # 1 for samples whose real target is the truth; None: not trained on pairs
    teacher: nn.Module | None


def directions(state: TrainState) -> tuple[Direction, Direction]:
    """Return the directions a2b and b2a of a training."""
    nets, teachers, weights = state.engine.networks, state.engine.teachers, state.loss_config
    return (
        Direction(
            name="a2b",
            generator=nets.a2b,
            inverse=nets.b2a,
            discriminator=nets.disc_b,
            augment=state.diffaugment_b,
            cycle_weight=weights.cycle_a,
            identity_weight=weights.identity * weights.cycle_b,
            conditional=state.conditional,
            is_pair=state.is_pair,
            teacher=teachers.get("a2b"),
        ),
        Direction(
            name="b2a",
            generator=nets.b2a,
            inverse=nets.a2b,
            discriminator=nets.disc_a,
            augment=state.diffaugment_a,
            cycle_weight=weights.cycle_b,
            identity_weight=weights.identity * weights.cycle_a,
            conditional=state.conditional,
            is_pair=state.is_pair,
            teacher=teachers.get("b2a"),
        ),
    )


def prepare_step(state: TrainState, learning_rate: float, batch_size: int, is_pair: Tensor | None = None) -> None:
    """Set what differs from step to step: the learning rate, the EMA's weight, pairs, all random choices.

    They lie in tensors of fixed addresses, so that a CUDA graph of the step reads the new values.
    """
    for optimizer in (state.optimizer_g, state.optimizer_d):
        set_learning_rate(optimizer, learning_rate)
    state.ema_weight.fill_(ema_weight(state.step, state.ema_decay))
    if state.is_pair is not None and is_pair is not None:
        state.is_pair.copy_(is_pair)
    for random in (state.pool_a, state.pool_b, state.diffaugment_a, state.diffaugment_b):
        random.draw(batch_size)


def train_step(state: TrainState, real_a: Images, real_b: Images, *, generators_learn: bool = True) -> Numbers:
    """Do one prepared step; return every loss and measure, detached and still on the device."""
    fake_a, fake_b, losses = update_generators(state, real_a, real_b, generators_learn=generators_learn)
    disc_losses, measures = update_discriminators(state, real_a, real_b, fake_a, fake_b)
    for name, average in state.ema.named_children():
        update_ema(average, state.networks.get_submodule(name), state.ema_weight)
    detached = {name: loss.detach() for name, loss in (losses | disc_losses).items()}
    return detached | measures | state.gradient_measures()


def update_generators(
    state: TrainState, real_a: Images, real_b: Images, *, generators_learn: bool = True
) -> tuple[Images, Images, Losses]:
    """Update both generators, if they learn; return the fakes, detached, and the weighted losses."""
    engine = state.engine
    # The discriminators only score here: no gradients for their weights.
    set_trainable((engine.networks.disc_a, engine.networks.disc_b), False)
    engine.optimizer_g.zero_grad()
    a2b, b2a = directions(state)

    def forward_and_backward(direction: Direction, real: Images, real_target: Images) -> tuple[Images, Losses]:
        with torch.set_grad_enabled(generators_learn):  # here, as each thread has a mode of its own
            fake, losses = generator_losses(direction, real, real_target, state.loss_config)
        if generators_learn:
            torch.autograd.backward(total(losses))
        return fake.detach(), losses

    def first_half() -> tuple[Images, Losses]:
        # Ranks exchange the sum of both gradients with the second half, if its cycle reaches this generator too.
        with engine.no_sync() if b2a.cycle_weight > 0 else nullcontext():
            return forward_and_backward(a2b, real_a, real_b)

    # The directions share weights and nothing else, so each goes backward by itself, and their order does not matter:
    # a gradient is the sum of two numbers. One after the other, only one graph is in memory.
    (fake_b, losses_a2b), (fake_a, losses_b2a) = engine.threads.both(
        first_half, partial(forward_and_backward, b2a, real_b, real_a)
    )
    if generators_learn:
        engine.optimizer_g.step()
    return fake_a, fake_b, losses_a2b | losses_b2a


def generator_losses(
    direction: Direction, real: Images, real_target: Images, weights: LossConfig
) -> tuple[Images, Losses]:
    """Translate real images of the source and back; return the fakes and the weighted losses, named as in metrics."""
    losses: Losses = {}
    # Grey images cannot go through a network that takes colour, so unequal channels have no identity loss.
    if direction.identity_weight > 0 and real.shape == real_target.shape:
        fake, same = in_one_call(direction.generator, real, real_target)
        losses["identity"] = direction.identity_weight * l1(same, real_target)
    else:
        fake = direction.generator(real)
    seen = discriminator_input(fake, real if direction.conditional else None)
    losses["gan"] = gan_loss(direction.discriminator(direction.augment.of_fakes(seen)), weights.adversarial)
    if direction.cycle_weight > 0:
        losses["cycle"] = direction.cycle_weight * l1(direction.inverse(fake), real)
    if direction.is_pair is not None:
        losses["paired"] = weights.paired * paired_l1(fake, real_target, direction.is_pair)
    if direction.teacher is not None:
        losses["distill"] = weights.distill * l1(fake, direction.teacher(real))
    return fake, {term_name(term, direction.name): loss for term, loss in losses.items()}


def update_discriminators(
    state: TrainState, real_a: Images, real_b: Images, fake_a: Images, fake_b: Images
) -> tuple[Losses, Numbers]:
    """Update both discriminators on real images and on fakes, new and from the pools; return losses and measures."""
    engine, objective = state.engine, state.loss_config.adversarial
    nets = engine.networks
    set_trainable((nets.disc_a, nets.disc_b), True)

    engine.optimizer_d.zero_grad()

    # A conditional discriminator sees the source of a translation beside it. Loose pictures have no true translation to
    # show it, so it learns from pairs alone.
    seen_a = [discriminator_input(image, real_b if state.conditional else None) for image in (real_a, fake_a)]
    seen_b = [discriminator_input(image, real_a if state.conditional else None) for image in (real_b, fake_b)]
    is_pair = state.is_pair if state.conditional else None

    def forward_and_backward(domain: str, pool: ImagePool, augment: DiffAugment, real: Images, fake: Images) -> Half:
        discriminator = nets.get_submodule(f"disc_{domain}")
        scores = in_one_call(discriminator, *augment.of_reals_and_fakes(real, pool.query(fake)))
        loss = discriminator_loss(*scores, objective, is_pair)
        torch.autograd.backward(loss)
        return {f"disc_{domain}": loss}, discriminator_measures(domain, *scores, objective)

    (loss_a, measures_a), (loss_b, measures_b) = engine.threads.both(
        partial(forward_and_backward, "a", state.pool_a, state.diffaugment_a, *seen_a),
        partial(forward_and_backward, "b", state.pool_b, state.diffaugment_b, *seen_b),
    )
    engine.optimizer_d.step()
    return loss_a | loss_b, measures_a | measures_b


def in_one_call(network: nn.Module, first: Images, second: Images) -> tuple[Tensor, Tensor]:
    """Return `network(first), network(second)`."""
    both = network(torch.cat([first, second])).split([len(first), len(second)])
    return both[0], both[1]


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the losses."""
    return torch.stack(list(losses.values())).sum()


def set_trainable(networks: tuple[nn.Module, ...], trainable: bool) -> None:
    """Set whether gradients are computed for the weights of these networks."""
    for network in networks:
        network.requires_grad_(trainable)
