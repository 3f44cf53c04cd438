"""The state of a training: networks, optimizers, and all else that an exact continuation needs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cyclegan.checkpoints.model_file import Tensors
from cyclegan.config import LossConfig
from cyclegan.diagnostics.measures import Numbers
from cyclegan.directions import DIRECTIONS, DirectionName, Names
from cyclegan.errors import RunError
from cyclegan.models import Networks
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.nonfinite import NonFiniteFilter
from cyclegan.training.pool import ImagePool
from cyclegan.training.running_means import RunningMeans
from cyclegan.training.time_plan import TimePlan
from cyclegan.training.two_threads import SingleThread

RECOVERY_FACTOR = 0.5  # of the learning rate, after each skipped step
RANK_PREFIXES = ("pool.", "diffaugment.", "random.", "means")  # of the tensors that each rank has for itself


@dataclass
class Engine:
    """How a step runs: networks and optimizers of the state, wrapped for a device, a precision and several ranks."""

    networks: Networks  # the same weights, wrapped and perhaps compiled
    optimizer_g: Optimizer
    optimizer_d: Optimizer
    no_sync: Callable[[], AbstractContextManager[object]] = nullcontext  # within it, gradients stay with this rank
    threads: SingleThread = field(default_factory=SingleThread)  # for the two halves of a step
    teachers: Mapping[str, nn.Module] = field(default_factory=dict)  # by direction


@dataclass
class Best:
    """The best networks of one direction so far by validation: its generator, and the discriminator of its target."""

    lowest_score: float  # of all validations; lower is better
    lowest_score_epoch: int  # counted from 1
    validations_since: int = 0  # the lowest score
    step: int = 0  # of the weights, whose score may be a little above the lowest
    epoch: int = 0  # of the weights
    weights: Tensors = field(default_factory=dict)  # as a model file holds them


@dataclass
class TrainState:
    """Networks, optimizers and all else that a step uses, and how far the training is."""

    networks: Networks
    optimizer_g: Optimizer
    optimizer_d: Optimizer
    filter_g: NonFiniteFilter
    filter_d: NonFiniteFilter
    ema: nn.ModuleDict  # averaged generators by direction; empty without EMA
    ema_decay: float
    pool_a: ImagePool
    pool_b: ImagePool
    diffaugment_a: DiffAugment  # of what disc_a sees
    diffaugment_b: DiffAugment
    loss_config: LossConfig
    engine: Engine  # runs the networks and optimizers above
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (immutable)
    memory_format: torch.memory_format = torch.contiguous_format  # of images and weights
    conditional: bool = False  # whether discriminators see source and image together
    is_pair: Tensor | None = None  # which samples of the step are pairs, as 1 and 0; None: not trained on pairs
    ema_weight: Tensor = field(default_factory=lambda: torch.ones(()))  # of the newest weights, in the next step
    discriminator_warmup: int = 0  # steps at the start in which only the discriminators learn
    step: int = 0  # steps done
    recoveries: int = 0  # how often the learning rate was halved after a skipped step
    means: RunningMeans = field(default_factory=RunningMeans)
    best: dict[DirectionName, Best] = field(default_factory=dict)  # of both directions, where there is validation
    plan: TimePlan | None = None  # where the run fits itself to a time

    def averaged_generator(self, direction: str) -> nn.Module:
        """Return the generator that translations use: the EMA or, in a training without one, the network itself."""
        return self.ema[direction] if direction in self.ema else self.networks.get_submodule(direction)

    @contextmanager
    def eval_generators(self) -> Iterator[dict[str, nn.Module]]:
        """Lend the generators that translations use, by direction, in eval mode and without gradients."""
        generators: dict[str, nn.Module] = {
            direction: self.averaged_generator(direction).eval() for direction, *_ in DIRECTIONS
        }
        try:
            with torch.no_grad():
                yield generators
        finally:
            for generator in generators.values():
                generator.train()

    def is_finite(self) -> bool:
        """Tell whether every weight, averaged ones included, is a finite number."""
        weights = [*self.networks.state_dict().values(), *self.ema.state_dict().values()]
        return all(bool(weight.isfinite().all()) for weight in weights)

    def model_weights(self) -> Tensors:
        """Return the weights of a model file: the generators of translations, and the discriminators for scores."""
        return {
            f"{name}.{key}": tensor
            for name, network in self.networks.named_children()
            for key, tensor in (self.averaged_generator(name) if name in ("a2b", "b2a") else network)
            .state_dict()
            .items()
        }

    def gradient_measures(self) -> Numbers:
        """Return the gradient norms of the last step and whether it was skipped, still on the device."""
        return {
            "grad_norm_g": self.filter_g.norm,
            "grad_norm_d": self.filter_d.norm,
            "skipped_steps": self.filter_g.skipped + self.filter_d.skipped,
        }

    @property
    def learning_rate_factor(self) -> float:
        """The factor of the scheduled learning rate, which each recovery halves."""
        return RECOVERY_FACTOR**self.recoveries

    def recover(self) -> None:
        """Recover from a skipped step: the weights are still finite, and the learning rate falls."""
        self.pool_a.discard_non_finite()
        self.pool_b.discard_non_finite()
        self.recoveries += 1

    def state_dict(self) -> tuple[Tensors, dict[str, Any]]:
        """Return the whole state: tensors by name, and the plain facts beside them."""
        tensors = {
            **_prefixed("network", self.networks.state_dict()),
            **_prefixed("ema", self.ema.state_dict()),
            **_prefixed("pool.a", self.pool_a.state_dict()),
            **_prefixed("pool.b", self.pool_b.state_dict()),
            **_prefixed("diffaugment.a", self.diffaugment_a.state_dict()),
            **_prefixed("diffaugment.b", self.diffaugment_b.state_dict()),
            **_prefixed("optimizer_g", _moments(self.optimizer_g)),
            **_prefixed("optimizer_d", _moments(self.optimizer_d)),
            "means": self.means.totals,
            "random.cpu": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        facts: dict[str, Any] = {"step": self.step, "recoveries": self.recoveries}
        if self.discriminator_warmup:
            facts["discriminator_warmup"] = self.discriminator_warmup
        facts |= {"means_steps": self.means.steps, "means_names": self.means.names}
        if self.best:
            facts["best"] = {}
        for direction, best in self.best.items():  # no network belongs to both
            tensors |= _prefixed("best", best.weights)
            facts["best"][direction] = {name: value for name, value in vars(best).items() if name != "weights"}
        if self.plan:
            facts["plan"] = self.plan.state_dict()
        return tensors, facts

    def load_state_dict(self, tensors: Tensors, facts: Mapping[str, Any]) -> None:
        """Go back to a state."""
        try:
            self.networks.load_state_dict(_under("network", tensors))
            self.ema.load_state_dict(_under("ema", tensors))
            _load_moments(self.optimizer_g, _under("optimizer_g", tensors))
            _load_moments(self.optimizer_d, _under("optimizer_d", tensors))
            self.pool_a.load_state_dict(_under("pool.a", tensors))
            self.pool_b.load_state_dict(_under("pool.b", tensors))
            self.diffaugment_a.load_state_dict(_under("diffaugment.a", tensors))
            self.diffaugment_b.load_state_dict(_under("diffaugment.b", tensors))
            self.means = RunningMeans(facts["means_names"], tensors["means"].to(self.device), facts["means_steps"])
            torch.set_rng_state(tensors["random.cpu"])
            if self.device.type == "cuda" and "random.cuda" in tensors:
                torch.cuda.set_rng_state(tensors["random.cuda"], self.device)
            best_weights, best_facts = _under("best", tensors), facts.get("best")
            self.best = {
                names.direction: Best(weights=direction_weights(names, best_weights), **best_facts[names.direction])
                for names in DIRECTIONS
                if best_facts
            }
            self.step, self.recoveries = int(facts["step"]), int(facts["recoveries"])
            self.discriminator_warmup = int(facts.get("discriminator_warmup", 0))
            if self.plan:
                self.plan.resume(facts.get("plan"), self.step)
        except (LookupError, RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise RunError(
                f"the saved state does not fit these networks: {error}.", "Start again with --fresh."
            ) from error


def direction_weights(names: Names, weights: Tensors) -> Tensors:
    """Return the weights of a direction's generator, and of the discriminator that scores its fakes."""
    networks = (names.direction, names.discriminator)
    return {name: weight for name, weight in weights.items() if name.partition(".")[0] in networks}


def of_one_rank(tensors: Tensors) -> Tensors:
    """Return the tensors of a state that each rank has for itself."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(RANK_PREFIXES)}


def merge_ranks(tensors: Tensors, of_ranks: Sequence[Tensors]) -> Tensors:
    """Return the state of the first rank with the own tensors of rank N under `rank.N`."""
    merged = dict(tensors)
    for rank, tensors_of_rank in enumerate(of_ranks):
        if rank:
            merged |= _prefixed(f"rank.{rank}", tensors_of_rank)
    return merged


def select_rank(rank: int, tensors: Tensors, initial: Tensors) -> Tensors:
    """Return the state of one rank from a merged one; a rank that was not there starts from its `initial` state."""
    if rank == 0:
        return tensors
    fallback = of_one_rank(initial) | {"means": torch.zeros_like(tensors["means"])}
    common = {name: tensor for name, tensor in tensors.items() if not name.startswith(RANK_PREFIXES)}
    return common | (_under(f"rank.{rank}", tensors) or fallback)


def cpu_copy(tensors: Tensors) -> Tensors:
    """Return copies on the CPU, which no later step changes."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the learning rate of an optimizer, on the device where it lies there."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate


def _moments(optimizer: Optimizer) -> Tensors:
    return {
        f"{index}.{key}": value
        for index, moments in optimizer.state_dict()["state"].items()
        for key, value in moments.items()
    }


def _load_moments(optimizer: Optimizer, tensors: Tensors) -> None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        # A moment lies in memory as its weight does: fused Adam wants both alike.
        like = weights[int(index)] if tensor.dim() else tensor
        state.setdefault(int(index), {})[key] = torch.empty_like(like, dtype=tensor.dtype).copy_(tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _under(prefix: str, tensors: Tensors) -> Tensors:
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
