"""A training in progress, and its state: everything that an exact continuation needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from cyclegan.errors import GameLostError, RunError
from cyclegan.models import Networks
from cyclegan.training.step import LOSS_NAMES, Game, Losses

Tensors = dict[str, Tensor]
LOST = "What was saved before is kept. Try again with --fresh and a lower optimizer.learning_rate, or in fp32."


@dataclass
class Tally:
    """The losses since the last line of the metrics, summed on the device."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0

    def add(self, losses: Losses) -> None:
        """Count the losses of one step."""
        self.sums = {name: self.sums[name] + loss if self.steps else loss for name, loss in losses.items()}
        self.steps += 1

    def means(self) -> dict[str, float]:
        """Return the mean of each loss; losses that are no longer numbers end the game."""
        if not self.steps:
            return {}
        values = (torch.stack(list(self.sums.values())) / self.steps).tolist()
        means = dict(zip(self.sums, values, strict=True))
        if not torch.tensor(values).isfinite().all():
            lost = ", ".join(name for name, value in means.items() if value - value != 0)
            raise GameLostError(
                f"the game is lost: {lost} are no longer finite numbers.",
                LOST,
            )
        return {name: means[name] for name in LOSS_NAMES if name in means}


@dataclass
class Session:
    """A training in progress: the game, the averages of its generators, and how far it is."""

    game: Game  # plays with the engine's networks and optimizers
    networks: Networks  # the same networks, bare
    optimizers: Mapping[str, Optimizer]  # the same optimizers, bare
    averages: dict[str, AveragedModel]  # of the generators; empty without averaging
    device: torch.device
    step: int = 0  # steps played
    tally: Tally = field(default_factory=Tally)

    def generator(self, direction: str) -> nn.Module:
        """Return the generator that translations use: the averaged one, where there is one."""
        averaged = self.averages.get(direction)
        bare: nn.Module = averaged.module if averaged else getattr(self.networks, direction)
        return bare

    def weights(self) -> Tensors:
        """Return what a model file holds: the generators, and the discriminators to score what they make."""
        return {
            f"{direction}.{name}": tensor
            for direction in ("a2b", "b2a")
            for name, tensor in self.generator(direction).state_dict().items()
        } | {
            f"{judge}.{name}": tensor
            for judge in ("disc_a", "disc_b")
            for name, tensor in getattr(self.networks, judge).state_dict().items()
        }

    def update_averages(self) -> None:
        """Move each average towards its generator."""
        for direction, averaged in self.averages.items():
            averaged.update_parameters(getattr(self.networks, direction))

    def capture(self) -> tuple[Tensors, dict[str, Any]]:
        """Return the whole state: tensors by name, and the plain facts beside them."""
        tensors = {
            **_within("network", {name: net.state_dict() for name, net in self.networks.named()}),
            **_within("average", {name: average.state_dict() for name, average in self.averages.items()}),
            **_within("pool", {"a": self.game.pool_a.state(), "b": self.game.pool_b.state()}),
            **_within("tally", {"sums": self.tally.sums}),
            "random.cpu": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        for name, optimizer in self.optimizers.items():
            for index, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in moments.items()}
        return tensors, {"step": self.step, "tally_steps": self.tally.steps}

    def restore(self, tensors: Tensors, facts: Mapping[str, Any]) -> None:
        """Go back to a captured state."""
        try:
            for name, network in self.networks.named():
                network.load_state_dict(_under(f"network.{name}.", tensors))
            for name, average in self.averages.items():
                average.load_state_dict(_under(f"average.{name}.", tensors))
            for name, optimizer in self.optimizers.items():
                _restore_optimizer(optimizer, _under(f"{name}.", tensors))
            self.game.pool_a.restore(_under("pool.a.", tensors), self.device)
            self.game.pool_b.restore(_under("pool.b.", tensors), self.device)
            sums = {name: value.to(self.device) for name, value in _under("tally.sums.", tensors).items()}
            self.tally = Tally({name: sums[name] for name in sorted(sums)}, facts["tally_steps"])
            torch.set_rng_state(tensors["random.cpu"])
            if self.device.type == "cuda" and "random.cuda" in tensors:
                torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
            self.step = facts["step"]
        except (KeyError, RuntimeError, ValueError) as error:
            raise RunError(f"the saved state is of another game: {error}.", "Start again with --fresh.") from error


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of a network's weights (Yazici et al. 2018, 1806.04498)."""
    return AveragedModel(network, multi_avg_fn=moving_average(decay), use_buffers=True)


def moving_average(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    """Return an update whose decay rises from 2/11 towards `decay`, so that the first weights are soon forgotten."""

    def update(average: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
        count = float(updates)
        torch._foreach_lerp_(average, current, 1 - min(decay, (1 + count) / (10 + count)))

    return update


def _restore_optimizer(optimizer: Optimizer, tensors: Tensors) -> None:
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _within(prefix: str, groups: Mapping[str, Mapping[str, Tensor]]) -> Tensors:
    return {f"{prefix}.{group}.{name}": tensor for group, held in groups.items() for name, tensor in held.items()}


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
