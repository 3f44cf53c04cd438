"""One step of the game (Zhu et al. 2017, section 3): both generators, then both discriminators.

Images that go through the same network at the same moment go in one call; instance norm looks at each image alone,
so this changes no number.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cyclegan.config import LossConfig
from cyclegan.diagnostics.measures import Numbers, score_signs
from cyclegan.images import Images
from cyclegan.losses import discriminator_loss, distance, generator_loss
from cyclegan.models import Networks
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.pool import ImagePool

Losses = dict[str, Tensor]
LOSS_NAMES = (
    *("gan_a2b", "gan_b2a", "cycle_a", "cycle_b", "identity_a", "identity_b"),
    *("imitation_a2b", "imitation_b2a", "disc_a", "disc_b"),
)


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
    teachers: Mapping[str, nn.Module] = field(default_factory=dict)  # by direction: what each generator imitates
    unshared: Callable[[], AbstractContextManager[object]] = nullcontext  # where gradients stay with this rank so far
    diffaugment_a: DiffAugment = field(default_factory=DiffAugment)  # of what disc_a sees
    diffaugment_b: DiffAugment = field(default_factory=DiffAugment)
    signs: Numbers = field(default_factory=dict)  # the last step's vital signs, still on the device

    def draw(self, count: int) -> None:
        """Make the random choices of a step of `count` pairs; nothing waits for the device."""
        for random in (self.pool_a, self.pool_b, self.diffaugment_a, self.diffaugment_b):
            random.draw(count)


def play(game: Game, real_a: Images, real_b: Images) -> Losses:
    """Update the generators, then the discriminators; return every loss, still on the device.

    What is random in it has been drawn before (`Game.draw`), so that a device can play a step all by itself.
    """
    fake_a, fake_b, losses = update_generators(game, real_a, real_b)
    losses |= update_discriminators(game, real_a, real_b, fake_a, fake_b)
    return {name: loss.detach() for name, loss in losses.items()}


def update_generators(game: Game, real_a: Images, real_b: Images) -> tuple[Images, Images, Losses]:
    """Update both generators; return the fakes, detached, and the weighted losses.

    What begins with A and what begins with B meet in the weights alone, so each goes backward as soon as it can, and
    only one of them is kept at a time. Ranks share the sum of both gradients, once.
    """
    set_trainable((game.networks.disc_a, game.networks.disc_b), False)  # they only look: no gradient for their weights
    game.optimizer_g.zero_grad()
    with game.unshared():
        fake_b, losses_a = there_and_back(game, "a", "b", real_a, real_b)
    fake_a, losses_b = there_and_back(game, "b", "a", real_b, real_a)
    game.optimizer_g.step()
    return fake_a, fake_b, losses_a | losses_b


def there_and_back(game: Game, source: str, target: str, real: Images, other: Images) -> tuple[Images, Losses]:
    """Redraw real images of `source` (`a` or `b`) as `target` and bring them back; add up what the generators learn.

    Real images of the other domain go the same way, which should leave them as they are. A teacher shows how to redraw.
    """
    nets, weights = game.networks, game.weights
    there, back = getattr(nets, f"{source}2{target}"), getattr(nets, f"{target}2{source}")
    judge, shown = getattr(nets, f"disc_{target}"), getattr(game, f"diffaugment_{target}")
    losses: Losses = {}
    if weights.identity > 0 and real.shape == other.shape:  # grey cannot be shown to a network that wants colour
        fake, same = in_one_call(there, real, other)
        identity = weights.identity * getattr(weights, f"cycle_{target}")
        losses[f"identity_{target}"] = identity * distance(same, other)
    else:
        fake = there(real)
    losses[f"gan_{source}2{target}"] = generator_loss(judge(shown.of_fakes(fake)), weights.adversarial)
    losses[f"cycle_{source}"] = getattr(weights, f"cycle_{source}") * distance(back(fake), real)
    if (way := f"{source}2{target}") in game.teachers:
        losses[f"imitation_{way}"] = weights.imitation * distance(fake, game.teachers[way](real))
    game.backward(total(losses))
    return fake.detach(), losses


def update_discriminators(game: Game, real_a: Images, real_b: Images, fake_a: Images, fake_b: Images) -> Losses:
    """Update both discriminators on real images and on fakes, new and past; return their losses."""
    nets, objective = game.networks, game.weights.adversarial
    set_trainable((nets.disc_a, nets.disc_b), True)
    past_a, past_b = game.pool_a.trade(fake_a), game.pool_b.trade(fake_b)
    scores_a = in_one_call(nets.disc_a, *game.diffaugment_a.of_pairs(real_a, past_a))
    scores_b = in_one_call(nets.disc_b, *game.diffaugment_b.of_pairs(real_b, past_b))
    losses = {"disc_a": discriminator_loss(*scores_a, objective), "disc_b": discriminator_loss(*scores_b, objective)}
    game.signs = score_signs("a", *scores_a, objective) | score_signs("b", *scores_b, objective)
    game.optimizer_d.zero_grad()
    game.backward(total(losses))
    game.optimizer_d.step()
    return losses


def in_one_call(network: nn.Module, first: Images, second: Images) -> tuple[Tensor, Tensor]:
    """Return `network(first), network(second)`."""
    both = network(torch.cat([first, second])).split([len(first), len(second)])
    return both[0], both[1]


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the losses."""
    return torch.stack(list(losses.values())).sum()


def set_trainable(networks: tuple[nn.Module, ...], trainable: bool) -> None:
    """Say whether gradients are computed for these networks' weights."""
    for network in networks:
        network.requires_grad_(trainable)
