"""A training in progress, and its state: everything that an exact continuation needs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cyclegan.diagnostics.measures import Numbers
from cyclegan.errors import RunError
from cyclegan.images import Images
from cyclegan.models import Networks
from cyclegan.training.distributed import ALONE, Ranks
from cyclegan.training.nonfinite import Guard
from cyclegan.training.step import LOSS_NAMES, Game, play

Tensors = dict[str, Tensor]
WAYS = (("a2b", "b2a", "a", "b"), ("b2a", "a2b", "b", "a"))  # there, back, from which domain, to which
OWN = ("pool.", "diffaugment.", "random.", "tally")  # how the names begin of what each rank has of its own


@dataclass
class Tally:
    """The numbers of the steps since the last line of the metrics, summed on the device."""

    names: list[str] = field(default_factory=list)
    totals: Tensor = field(default_factory=lambda: torch.zeros(2, 0))  # sums of finite values; how many there were
    steps: int = 0

    def add(self, numbers: Numbers) -> None:
        """Count the numbers of one step."""
        values = torch.stack(list(numbers.values()))
        finite = values.isfinite()
        counted = torch.stack([values.where(finite, 0.0), finite.to(values.dtype)])
        self.names, self.totals = list(numbers), self.totals + counted if self.steps else counted
        self.steps += 1

    def means(self, ranks: Ranks = ALONE) -> dict[str, float]:
        """Return the mean of each number over ranks and steps in which it was finite, the losses first."""
        sums, counts = ranks.summed(self.totals).tolist()
        means = {name: total / count for name, total, count in zip(self.names, sums, counts, strict=True) if count}
        return {name: means.pop(name) for name in LOSS_NAMES if name in means} | means


@dataclass
class Best:
    """The best networks so far by validation, and how long they have been that."""

    least: float  # score so far; less is better
    least_epoch: int  # whose it was, counted from 1
    since: int = 0  # validations after it
    step: int = 0  # of the networks that are kept
    epoch: int = 0
    weights: Tensors = field(default_factory=dict)  # as a model file holds them


@dataclass
class Session:
    """A training in progress: the game, the averages of its generators, and how far it is."""

    game: Game  # plays with the engine's networks and optimizers
    networks: Networks  # the same networks, bare
    optimizers: Mapping[str, Optimizer]  # the same optimizers, bare
    guards: Mapping[str, Guard]  # one before each optimizer
    averages: dict[str, nn.Module]  # of the generators' weights; empty without averaging
    decay: float  # of these averages
    device: torch.device
    layout: torch.memory_format = torch.contiguous_format  # of images and weights
    step: int = 0  # steps played
    rescues: int = 0  # how often it has gone on at a lower learning rate
    tally: Tally = field(default_factory=Tally)
    pull: Tensor = field(default_factory=lambda: torch.ones(()))  # of the weights as they are on their averages
    best: Best | None = None  # where there is validation

    def generator(self, direction: str) -> nn.Module:
        """Return the generator that translations use: the averaged one, where there is one."""
        generator: nn.Module = self.averages.get(direction, getattr(self.networks, direction))
        return generator

    @contextmanager
    def translating(self) -> Iterator[dict[str, nn.Module]]:
        """Lend the generators that translations use, by direction, as they translate: no dropout, no gradients."""
        generators = {way: self.generator(way).eval() for way in ("a2b", "b2a")}
        try:
            with torch.no_grad():
                yield generators
        finally:
            for generator in generators.values():
                generator.train()

    def is_finite(self) -> bool:
        """Tell whether every weight, averaged ones included, is a finite number."""
        networks = [network for _, network in self.networks.named()] + list(self.averages.values())
        return all(weight.isfinite().all() for network in networks for weight in network.state_dict().values())

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

    def signs(self) -> Numbers:
        """Return the vital signs of the last step, still on the device."""
        generators, discriminators = self.guards["optimizer_g"], self.guards["optimizer_d"]
        return self.game.signs | {
            "gradient_g": generators.norm,
            "gradient_d": discriminators.norm,
            "refused_updates": generators.refused + discriminators.refused,
        }

    def rescue(self) -> None:
        """Go on from the last good state, which the guards have kept, at a lower learning rate."""
        self.game.pool_a.discard_broken()
        self.game.pool_b.discard_broken()
        self.rescues += 1

    def prepare(self, rate: float, count: int) -> None:
        """Make ready for a step of `count` pairs: its learning rate, its random choices, its share in the averages."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                set_learning_rate(group, rate)
        self.pull.fill_(1 - decay_after(self.step, self.decay))
        self.game.draw(count)

    def advance(self, real_a: Images, real_b: Images) -> Numbers:
        """Do what the device does in a step that was prepared; return losses and vital signs, still on the device."""
        losses = play(self.game, real_a, real_b)
        for direction, average in self.averages.items():
            follow(average, getattr(self.networks, direction), self.pull)
        return losses | self.signs()

    def capture(self) -> tuple[Tensors, dict[str, Any]]:
        """Return the whole state: tensors by name, and the plain facts beside them."""
        tensors = {
            **_within("network", {name: net.state_dict() for name, net in self.networks.named()}),
            **_within("average", {name: average.state_dict() for name, average in self.averages.items()}),
            **_within("pool", {"a": self.game.pool_a.state(), "b": self.game.pool_b.state()}),
            **_within("diffaugment", {"a": self.game.diffaugment_a.state(), "b": self.game.diffaugment_b.state()}),
            "tally": self.tally.totals,
            "random.cpu": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        for name, optimizer in self.optimizers.items():
            for index, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in moments.items()}
        facts: dict[str, Any] = {"step": self.step, "rescues": self.rescues}
        facts |= {"tally_steps": self.tally.steps, "tally_names": self.tally.names}
        if self.best:
            tensors |= {f"best.{name}": weight for name, weight in self.best.weights.items()}
            facts["best"] = {name: value for name, value in vars(self.best).items() if name != "weights"}
        return tensors, facts

    def restore(self, tensors: Tensors, facts: Mapping[str, Any]) -> None:
        """Go back to a captured state."""
        try:
            for name, network in self.networks.named():
                network.load_state_dict(_under(f"network.{name}.", tensors))
            for name, average in self.averages.items():
                average.load_state_dict(_under(f"average.{name}.", tensors))
            for name, optimizer in self.optimizers.items():
                _restore_optimizer(optimizer, _under(f"{name}.", tensors))
            self.game.pool_a.restore(_under("pool.a.", tensors))
            self.game.pool_b.restore(_under("pool.b.", tensors))
            self.game.diffaugment_a.restore(_under("diffaugment.a.", tensors))
            self.game.diffaugment_b.restore(_under("diffaugment.b.", tensors))
            self.tally = Tally(facts["tally_names"], tensors["tally"].to(self.device), facts["tally_steps"])
            torch.set_rng_state(tensors["random.cpu"])
            if self.device.type == "cuda" and "random.cuda" in tensors:
                torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
            self.best = Best(weights=_under("best.", tensors), **facts["best"]) if "best" in facts else None
            self.step, self.rescues = int(facts["step"]), int(facts["rescues"])
        except (LookupError, RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise RunError(f"the saved state is of another game: {error}.", "Start again with --fresh.") from error


def own(tensors: Tensors) -> Tensors:
    """Return what of a state no other rank has."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(OWN)}


def of_all_ranks(tensors: Tensors, owned: Sequence[Tensors]) -> Tensors:
    """Return the state of the first rank with what all have of their own."""
    return tensors | _within("rank", {str(rank): theirs for rank, theirs in enumerate(owned) if rank})


def of_rank(rank: int, tensors: Tensors, beginning: Tensors) -> Tensors:
    """Return the state that one rank was in; one that was not there has its own things as at the beginning."""
    if rank == 0:
        return tensors
    nothing = own(beginning) | {"tally": torch.zeros_like(tensors["tally"])}
    common = {name: tensor for name, tensor in tensors.items() if not name.startswith(OWN)}
    return common | (_under(f"rank.{rank}.", tensors) or nothing)


def copied(tensors: Tensors) -> Tensors:
    """Return tensors as they are now, in memory that no training changes."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def averaged(network: nn.Module) -> nn.Module:
    """Return what will hold the moving average of a network's weights (Yazici et al. 2018, 1806.04498)."""
    return deepcopy(network).requires_grad_(False)


def decay_after(steps: int, decay: float) -> float:
    """Return the decay of the averages after so many steps; it rises from 0, so that the first are soon forgotten."""
    return min(decay, steps / (9 + steps))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, pull: Tensor) -> None:
    """Move averaged weights towards a network's by the share `pull`."""
    averages: Any = list(average.parameters())
    weights: Any = list(network.parameters())
    ways: Any = torch._foreach_sub(weights, averages)
    torch._foreach_mul_(ways, pull)
    torch._foreach_add_(averages, ways)


def set_learning_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of an optimizer's group, on the device where it lies there."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _restore_optimizer(optimizer: Optimizer, tensors: Tensors) -> None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        lies_like = weights[int(index)] if tensor.dim() else tensor
        state.setdefault(int(index), {})[key] = torch.empty_like(lies_like, dtype=tensor.dtype).copy_(tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _within(prefix: str, groups: Mapping[str, Mapping[str, Tensor]]) -> Tensors:
    return {f"{prefix}.{group}.{name}": tensor for group, held in groups.items() for name, tensor in held.items()}


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
