"""Trainings that fail on purpose, and healthy ones, small enough for a test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config, Settings, build_config
from cyclegan.data.domains import Domain
from cyclegan.data.synthetic import draw_pair
from cyclegan.diagnostics.measures import Numbers
from cyclegan.images import Pixels
from cyclegan.models import Networks, build_networks
from cyclegan.training import TrainInputs, build, step_runner, train_locked
from cyclegan.training.state import TrainState

SMALL: Settings = {
    "data": {"size": 32, "load_size": 32},
    "generator": {"width": 4, "blocks": 1},
    "discriminator": {"width": 4, "layers": 2},
    "optimizer": {"learning_rate": 2e-3},
    "training": {"ema_decay": 0.0, "precision": "fp32"},
    "schedule": {"max_steps": 300},
    "machine": {"workers": 0},
    "logging": {"every": 10, "samples_every": 10**6, "diagnose_every": 50},
}
VALIDATED: Settings = {"logging": {"validate_every": 50}}
FREE: Settings = {"loss": {"cycle_a": 0, "cycle_b": 0, "identity": 0}}


@dataclass(frozen=True)
class Case:
    """A training, how it is made to fail, and which finding is expected by when."""

    finding: str = ""
    within: int = 300  # steps
    settings: Settings = field(default_factory=dict)
    networks: Callable[[Config], Networks] = build_networks
    discriminator_rate: float = 1.0  # of the learning rate
    broken_steps: tuple[int, ...] = ()  # whose pictures hold a NaN
    pictures: int = 32  # of each domain that are trained on
    held_out: int = 0  # further ones, to validate with


class Copier(nn.Module):
    """A generator that copies but for a tint."""

    def __init__(self) -> None:
        super().__init__()
        self.tint = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the images."""
        return images + 0.01 * self.tint.tanh()


class Inverter(Copier):
    """A generator that turns pictures into negatives."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the negatives."""
        return -super().forward(images)


class Tint(Copier):
    """A generator that only learns to add a colour."""

    def forward(self, images: Tensor) -> Tensor:
        """Return tinted images."""
        return images + self.tint


class OneTrick(Copier):
    """A generator that makes the same picture of everything."""

    def forward(self, images: Tensor) -> Tensor:
        """Return one picture, again and again."""
        return 0.001 * images + self.tint.tanh()


class Smuggler(Copier):
    """A generator whose flat translation carries its input a hundredth of a grey level deep."""

    depth = 1e-4

    def forward(self, images: Tensor) -> Tensor:
        """Return flat pictures that are not as flat as they look."""
        return self.tint.tanh() + self.depth * images


class Receiver(Copier):
    """A generator that reads what a smuggler has written."""

    def forward(self, images: Tensor) -> Tensor:
        """Return what was hidden."""
        return ((images - images.mean((2, 3), keepdim=True)) / Smuggler.depth + self.tint).clamp(-1, 1)


def generators_of(a2b: type[nn.Module], b2a: type[nn.Module]) -> Callable[[Config], Networks]:
    """Return a builder of networks with these generators."""
    return lambda config: with_generators(build_networks(config), a2b(), b2a())


def with_generators(networks: Networks, a2b: nn.Module, b2a: nn.Module) -> Networks:
    """Return networks with other generators."""
    return Networks(a2b, b2a, networks.disc_a, networks.disc_b)


def dirac(config: Config) -> Networks:
    """Return a Dirac-GAN, whose networks circle around their equilibrium (Mescheder et al. 2018, 1801.04406)."""
    torch.manual_seed(0)
    return Networks(Tint(), Tint(), nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, 1))


@cache
def landscapes(count: int) -> tuple[list[Pixels], list[Pixels]]:
    """Return small unpaired landscapes in summer and in winter."""
    pictures = [np.array(draw_pair(0, index, 32)[index % 2]) for index in range(2 * count)]
    return pictures[::2], pictures[1::2]


HEALTHY = Case(settings=VALIDATED, held_out=16)
FAILURES = (
    Case("discriminator_wins", 200, {"optimizer": {"learning_rate": 2e-5}}, discriminator_rate=50),
    Case("discriminator_gave_up", 300, {"optimizer": {"learning_rate": 2e-4}}, discriminator_rate=0),
    Case("oscillation", 250, FREE | {"optimizer": {"learning_rate": 3e-2}, "training": {"pool_size": 0}}, dirac),
    Case("collapse", 200, networks=generators_of(OneTrick, OneTrick)),
    Case("copying", 200, networks=generators_of(Copier, Copier)),
    Case("inversion", 200, networks=generators_of(Inverter, Inverter)),
    Case("hidden_message", 200, networks=generators_of(Smuggler, Receiver)),
    Case("not_finite", 20, broken_steps=(13,)),
    Case(
        "overfitting",
        300,
        VALIDATED | {"optimizer": {"learning_rate": 2e-4}, "discriminator": {"width": 32}},
        discriminator_rate=10,
        pictures=2,
        held_out=16,
    ),
)


def inputs_of(run: Run, case: Case, *layers: Settings) -> TrainInputs:
    """Return the inputs of a training on landscapes that are kept in memory."""
    names = [Path(f"{number}.png") for number in range(case.held_out)]
    summer, winter = (
        Domain(name, Path(), pictures[: case.pictures], held_out=pictures[case.pictures :], held_out_files=names)
        for name, pictures in zip("ab", landscapes(case.pictures + case.held_out), strict=True)
    )
    return TrainInputs(build_config(SMALL, case.settings, *layers), run, summer, winter, torch.device("cpu"), "fp32")


def train_case(case: Case, run: Run, *layers: Settings, **options: Any) -> list[dict[str, Any]]:
    """Train, or continue, in this folder, and return the metrics."""
    prepare_step, train_step = step_runner.prepare_step, step_runner.train_step

    def prepare_with_own_rate(state: TrainState, learning_rate: float, batch_size: int, is_pair: object) -> None:
        prepare_step(state, learning_rate, batch_size, is_pair)
        state.optimizer_d.param_groups[0]["lr"] *= case.discriminator_rate

    def train_on_broken_images(state: TrainState, real_a: Tensor, real_b: Tensor, **how: Any) -> Numbers:
        if state.step + 1 in case.broken_steps:
            real_a[0, 0, 0, 0] = torch.nan
        return train_step(state, real_a, real_b, **how)

    run.samples.mkdir(parents=True, exist_ok=True)
    with (
        patch.object(build, "build_networks", case.networks),
        patch.object(step_runner, "prepare_step", prepare_with_own_rate),
        patch.object(step_runner, "train_step", train_on_broken_images),
    ):
        train_locked(inputs_of(run, case, *layers), **options)
    return read_metrics(run)
