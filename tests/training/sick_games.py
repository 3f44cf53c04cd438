"""Games made sick on purpose, and healthy ones: real trainings, small enough for a test.

`scripts/measure_doctor.py` plays them too.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from cyclegan.checkpoints.runs import Run, read_metrics
from cyclegan.config import Config, Settings, build_config
from cyclegan.data.domains import Domain
from cyclegan.data.synthetic import draw_pair
from cyclegan.diagnostics.measures import Numbers
from cyclegan.images import Pixels
from cyclegan.models import Networks, build_networks
from cyclegan.training import Plan, setup, trainer
from cyclegan.training.state import Session

SMALL: Settings = {
    "data": {"size": 32, "load_size": 32},
    "generator": {"width": 4, "blocks": 1},
    "discriminator": {"width": 4, "layers": 2},
    "optimizer": {"learning_rate": 2e-3},
    "game": {"averaging": 0.0, "precision": "fp32"},
    "schedule": {"max_steps": 300},
    "machine": {"workers": 0},
    "logging": {"every": 10, "samples_every": 10**6, "examine_every": 50},
}
VALIDATED: Settings = {"logging": {"validate_every": 50}}
FREE: Settings = {"loss": {"cycle_a": 0, "cycle_b": 0, "identity": 0}}


@dataclass(frozen=True)
class Game:
    """A game, how it is made sick, and what the doctor is to say by when."""

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


def played_by(a2b: type[nn.Module], b2a: type[nn.Module]) -> Callable[[Config], Networks]:
    """Return a builder of networks with these generators."""
    return lambda config: dataclasses.replace(build_networks(config), a2b=a2b(), b2a=b2a())


def dirac(config: Config) -> Networks:
    """Return the players of a Dirac-GAN, which circle around their balance (Mescheder et al. 2018, 1801.04406)."""
    torch.manual_seed(0)
    return Networks(Tint(), Tint(), nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, 1))


@cache
def landscapes(count: int) -> tuple[list[Pixels], list[Pixels]]:
    """Return small unpaired landscapes in summer and in winter."""
    pictures = [np.array(draw_pair(0, index, 32)[index % 2]) for index in range(2 * count)]
    return pictures[::2], pictures[1::2]


HEALTHY_GAME = Game(settings=VALIDATED, held_out=16)
SICK = (
    Game("discriminator_wins", 200, {"optimizer": {"learning_rate": 2e-5}}, discriminator_rate=50),
    Game("discriminator_gave_up", 300, {"optimizer": {"learning_rate": 2e-4}}, discriminator_rate=0),
    Game("oscillation", 250, FREE | {"optimizer": {"learning_rate": 3e-2}, "game": {"pool_size": 0}}, dirac),
    Game("collapse", 200, networks=played_by(OneTrick, OneTrick)),
    Game("copying", 200, networks=played_by(Copier, Copier)),
    Game("inversion", 200, networks=played_by(Inverter, Inverter)),
    Game("hidden_message", 200, networks=played_by(Smuggler, Receiver)),
    Game("not_finite", 20, broken_steps=(13,)),
    Game(
        "overfitting",
        300,
        VALIDATED | {"optimizer": {"learning_rate": 2e-4}, "discriminator": {"width": 32}},
        discriminator_rate=10,
        pictures=2,
        held_out=16,
    ),
)


def plan_of(run: Run, game: Game, *layers: Settings) -> Plan:
    """Return a plan to play with landscapes that are kept in memory."""
    names = [Path(f"{number}.png") for number in range(game.held_out)]
    summer, winter = (
        Domain(name, Path(), pictures[: game.pictures], held_out=pictures[game.pictures :], held_out_files=names)
        for name, pictures in zip("ab", landscapes(game.pictures + game.held_out), strict=True)
    )
    return Plan(build_config(SMALL, game.settings, *layers), run, summer, winter, torch.device("cpu"), "fp32")


def play(game: Game, run: Run, *layers: Settings, **options: Any) -> list[dict[str, Any]]:
    """Train, or continue, in this folder, and return the metrics."""
    prepare, advance = Session.prepare, Session.advance

    def prepare_unfairly(session: Session, rate: float, count: int) -> None:
        prepare(session, rate, count)
        session.optimizers["optimizer_d"].param_groups[0]["lr"] *= game.discriminator_rate

    def advance_broken(session: Session, real_a: Tensor, real_b: Tensor) -> Numbers:
        if session.step + 1 in game.broken_steps:
            real_a[0, 0, 0, 0] = torch.nan
        return advance(session, real_a, real_b)

    run.samples.mkdir(parents=True, exist_ok=True)
    with (
        patch.object(setup, "build_networks", game.networks),
        patch.object(Session, "prepare", prepare_unfairly),
        patch.object(Session, "advance", advance_broken),
    ):
        trainer.train(plan_of(run, game, *layers), **options)
    return read_metrics(run)
