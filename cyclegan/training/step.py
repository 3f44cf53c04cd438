"""One step of the game (Zhu et al. 2017, section 3): both generators, then both discriminators.

Images that go through the same network at the same moment go in one call; instance norm looks at each image alone,
so this changes no number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cyclegan.config import LossConfig
from cyclegan.images import Images
from cyclegan.losses import discriminator_loss, distance, generator_loss
from cyclegan.models import Networks
from cyclegan.training.pool import ImagePool
from cyclegan.training.signs import Numbers, score_signs

Losses = dict[str, Tensor]
LOSS_NAMES = ("gan_a2b", "gan_b2a", "cycle_a", "cycle_b", "identity_a", "identity_b", "disc_a", "disc_b")


@dataclass
class Game:
    """Everything that a step changes."""

    networks: Networks
    optimizer_g: Optimizer
    optimizer_d: Optimizer
    pool_a: ImagePool
    pool_b: ImagePool
    weights: LossConfig
    backward: Callable[[Tensor], None]  # the engine's, which may scale or spread
    signs: Numbers = field(default_factory=dict)  # the last step's vital signs, still on the device


def play(game: Game, real_a: Images, real_b: Images) -> Losses:
    """Update the generators, then the discriminators; return every loss, still on the device."""
    fake_a, fake_b, losses = update_generators(game, real_a, real_b)
    losses |= update_discriminators(game, real_a, real_b, fake_a, fake_b)
    return {name: loss.detach() for name, loss in losses.items()}


def update_generators(game: Game, real_a: Images, real_b: Images) -> tuple[Images, Images, Losses]:
    """Update both generators; return the fakes, detached, and the weighted losses."""
    nets, weights = game.networks, game.weights
    set_trainable((nets.disc_a, nets.disc_b), False)  # they only look: no gradient is computed for them
    losses: Losses = {}
    if weights.identity > 0 and real_a.shape == real_b.shape:  # grey cannot be shown to a network that wants colour
        fake_b, same_b = in_one_call(nets.a2b, real_a, real_b)
        fake_a, same_a = in_one_call(nets.b2a, real_b, real_a)
        losses["identity_a"] = weights.identity * weights.cycle_a * distance(same_a, real_a)
        losses["identity_b"] = weights.identity * weights.cycle_b * distance(same_b, real_b)
    else:
        fake_b, fake_a = nets.a2b(real_a), nets.b2a(real_b)
    losses["gan_a2b"] = generator_loss(nets.disc_b(fake_b), weights.adversarial)
    losses["gan_b2a"] = generator_loss(nets.disc_a(fake_a), weights.adversarial)
    losses["cycle_a"] = weights.cycle_a * distance(nets.b2a(fake_b), real_a)
    losses["cycle_b"] = weights.cycle_b * distance(nets.a2b(fake_a), real_b)
    descend(game, game.optimizer_g, losses)
    return fake_a.detach(), fake_b.detach(), losses


def update_discriminators(game: Game, real_a: Images, real_b: Images, fake_a: Images, fake_b: Images) -> Losses:
    """Update both discriminators on real images and on fakes, new and past; return their losses."""
    nets, objective = game.networks, game.weights.adversarial
    set_trainable((nets.disc_a, nets.disc_b), True)
    past_a, past_b = game.pool_a.trade(fake_a), game.pool_b.trade(fake_b)
    scores_a = in_one_call(nets.disc_a, real_a, past_a)
    scores_b = in_one_call(nets.disc_b, real_b, past_b)
    losses = {"disc_a": discriminator_loss(*scores_a, objective), "disc_b": discriminator_loss(*scores_b, objective)}
    game.signs = score_signs("a", *scores_a, objective) | score_signs("b", *scores_b, objective)
    descend(game, game.optimizer_d, losses)
    return losses


def in_one_call(network: nn.Module, first: Images, second: Images) -> tuple[Tensor, Tensor]:
    """Return `network(first), network(second)`."""
    both = network(torch.cat([first, second])).split([len(first), len(second)])
    return both[0], both[1]


def descend(game: Game, optimizer: Optimizer, losses: Mapping[str, Tensor]) -> None:
    """Take one step down the sum of the losses."""
    optimizer.zero_grad()
    game.backward(torch.stack(list(losses.values())).sum())
    optimizer.step()


def set_trainable(networks: tuple[nn.Module, ...], trainable: bool) -> None:
    """Say whether gradients are computed for these networks' weights."""
    for network in networks:
        network.requires_grad_(trainable)
