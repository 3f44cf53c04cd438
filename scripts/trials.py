"""What a recipe may try that `cyclegan train` does not offer: each changes the game as long as it is in force.

What earns its place by `scripts/search_recipe.py` becomes a setting; what does not is told in docs/experiments.md.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from cyclegan import models
from cyclegan.config import Config
from cyclegan.images import Images
from cyclegan.models import resnet
from cyclegan.models.layers import Norm, norm_layer
from cyclegan.training import step
from cyclegan.training.state import Session, set_learning_rate

NEARBY = 0.1  # standard deviation of the noise by which images that should be scored alike differ


@contextmanager
def way_back_noise(deviation: float, _: Config) -> Iterator[None]:
    """Add noise to translations before they are brought back, so that they can hide no message (1712.02950)."""
    forward = resnet.ResNetGenerator.forward

    def forward_with_noise(self: Any, images: Images) -> Images:
        return forward(self, images + deviation * torch.randn_like(images) if images.requires_grad else images)

    with patch.object(resnet.ResNetGenerator, "forward", forward_with_noise):
        yield


@contextmanager
def flat_scores(weight: float, _: Config) -> Iterator[None]:
    """Have the discriminators score real images like ones nearby: R1 without its second derivatives (2501.08316)."""
    update, in_one_call, total = step.update_discriminators, step.in_one_call, step.total
    penalties: list[Tensor] = []

    def scores_and_penalty(network: nn.Module, real: Images, fake: Images) -> tuple[Tensor, Tensor]:
        of_real, of_fakes = in_one_call(network, real, fake)
        nearby = network(real + NEARBY * torch.randn_like(real))
        penalties.append(weight * (nearby - of_real).square().mean())
        return of_real, of_fakes

    def total_with_penalties(losses: Mapping[str, Tensor]) -> Tensor:
        return total(losses) + torch.stack(penalties).sum()

    def update_with_penalties(*given: Any) -> step.Losses:
        penalties.clear()
        with patch.multiple(step, in_one_call=scores_and_penalty, total=total_with_penalties):
            return update(*given)

    with patch.object(step, "update_discriminators", update_with_penalties):
        yield


@contextmanager
def falling_cycle(end: float, config: Config) -> Iterator[None]:
    """Have the weight of the cycle losses fall, linearly, to a share of itself (2408.15374)."""
    total, prepare = step.total, Session.prepare
    shares: list[Tensor] = []

    def falling_total(losses: Mapping[str, Tensor]) -> Tensor:
        return total({name: loss * shares[0] if name.startswith("cycle") else loss for name, loss in losses.items()})

    def prepare_share(self: Session, rate: float, count: int) -> None:
        if not shares:
            shares.append(torch.ones((), device=self.device))
        shares[0].fill_(1 + (end - 1) * self.step / config.schedule.max_steps)
        prepare(self, rate, count)

    with patch.object(step, "total", falling_total), patch.object(Session, "prepare", prepare_share):
        yield


@contextmanager
def discriminators_rate(factor: float, _: Config) -> Iterator[None]:
    """Give the discriminators another learning rate than the generators (1706.08500)."""
    prepare = Session.prepare

    def prepare_rates(self: Session, rate: float, count: int) -> None:
        prepare(self, rate, count)
        for group in self.optimizers["optimizer_d"].param_groups:
            set_learning_rate(group, rate * factor)

    with patch.object(Session, "prepare", prepare_rates):
        yield


@contextmanager
def resize_convolutions(_: float, __: Config) -> Iterator[None]:
    """Double sizes by repeating pixels before a convolution, against checkerboards (Odena et al. 2016)."""

    def up(channels: int, narrower: int, norm: Norm) -> list[nn.Module]:
        return [
            nn.Upsample(scale_factor=2),
            nn.Conv2d(channels, narrower, kernel_size=3, padding=1, bias=False),
            norm_layer(norm, narrower),
            nn.ReLU(inplace=True),
        ]

    with patch.object(resnet, "up", up):
        yield


@contextmanager
def spectral_norm(_: float, __: Config) -> Iterator[None]:
    """Divide the discriminators' weights by their largest singular values (1802.05957)."""
    build = models.build_discriminator

    def build_normalised(*given: Any) -> nn.Module:
        network = build(*given)
        for layer in list(network.modules()):
            if isinstance(layer, nn.Conv2d):
                nn.utils.parametrizations.spectral_norm(layer)
        return network

    with patch.object(models, "build_discriminator", build_normalised):
        yield


TRIALS: dict[str, Callable[[float, Config], Any]] = {
    trial.__name__: trial
    for trial in (
        way_back_noise,
        flat_scores,
        falling_cycle,
        discriminators_rate,
        resize_convolutions,
        spectral_norm,
    )
}


@contextmanager
def in_force(wanted: Mapping[str, float], config: Config) -> Iterator[None]:
    """Try what is wanted, each by so much."""
    with ExitStack() as stack:
        for name, amount in wanted.items():
            stack.enter_context(TRIALS[name](amount, config))
        yield
