"""A step that is compiled or recorded does what it does as it is written, and nothing in it waits for the device."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cyclegan.checkpoints.model_file import ModelInfo
from cyclegan.checkpoints.runs import Run
from cyclegan.images import Images
from cyclegan.models import build_networks, resolved
from cyclegan.training.build import new_session
from cyclegan.training.distillation import Teacher
from cyclegan.training.fabric import engine
from cyclegan.training.inputs import Plan
from cyclegan.training.state import Session
from cyclegan.training.step_runner import WARM_UP, Pace, compile_networks
from tests.training.games import tiny_config
from tests.training.sick_games import Game, plan_of

STEPS = WARM_UP + 5
WAITING = (
    "_local_scalar_dense",
    "nonzero",
    "equal",
    "unique",
    "masked_select",
)  # where a host needs a device's numbers


class Operations(TorchDispatchMode):
    """Does on a CPU what a CUDA graph does: plays the same operations again on the same memory.

    Whatever the host decided while they were recorded stays as it was then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Any], Any, Any, Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, result))
        return result

    def names(self) -> set[str]:
        """Return the names of the operations."""
        return {str(function.overloadpacket).partition(".")[2] for function, *_ in self.calls}

    @torch.no_grad()
    def play_again(self) -> None:
        """Do them again; what they returned is overwritten."""
        for function, args, kwargs, result in self.calls:
            again = function(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor):
                    old.data.copy_(new)


def record_on_cpu(step: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """Record a step; this does it too, so the first time it is played again nothing happens."""
    with Operations() as operations:
        numbers = step()
    done = iter([True])
    return numbers, lambda: None if next(done, False) else operations.play_again()


def a_teacher() -> Teacher:
    """Return a model that is broader than what is trained."""
    config = tiny_config({"generator": {"width": 6}, "game": {"init_gain": 0.2}})
    info = ModelInfo(generator=resolved(config), domain_a="a", domain_b="b", size=32, steps=1, averaged=False)
    weights = {
        f"{name}.{key}": weight
        for name, network in build_networks(config).named()
        for key, weight in network.state_dict().items()
    }
    return Teacher(info, weights)


def fresh_session(precision: str = "fp32") -> tuple[Session, Plan, Any]:
    settings = {"game": {"batch_size": 2, "pool_size": 3, "averaging": 0.9, "diffaugment": True}}
    plan = replace(plan_of(Run(Path()), Game(settings=settings)), precision=precision, teacher=a_teacher())
    fabric = engine(plan)
    return new_session(plan, fabric), plan, fabric


def images_of(step: int, session: Session) -> list[Images]:
    random = torch.Generator().manual_seed(step)
    batches = torch.rand(2, 2, 3, 32, 32, generator=random) * 2 - 1
    return [batch.contiguous(memory_format=session.layout) for batch in batches]


def played(session: Session, pace: Pace) -> list[dict[str, float]]:
    """Play steps whose learning rate changes every time; return their numbers."""
    numbers = []
    for step in range(STEPS):
        session.prepare(1e-3 / (1 + step), 2)
        numbers.append({name: float(value) for name, value in pace(*images_of(step, session)).items()})
        session.step += 1
    return numbers


def assert_same_state(session: Session, other: Session) -> None:
    (tensors, facts), (expected, expected_facts) = session.capture(), other.capture()
    assert facts == expected_facts
    assert tensors.keys() == expected.keys()
    assert [name for name, tensor in tensors.items() if not torch.equal(tensor, expected[name])] == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_recorded_step_played_again_is_bit_for_bit_the_step_as_written(precision):
    (as_written, *_), (recorded, *_) = fresh_session(precision), fresh_session(precision)
    expected = played(as_written, Pace(as_written, None, print))
    pace = Pace(recorded, record_on_cpu, print)
    assert played(recorded, pace) == expected
    assert pace.recording is not None
    assert_same_state(recorded, as_written)


def test_nothing_in_a_step_waits_for_the_device():
    session, *_ = fresh_session()
    session.prepare(1e-3, 2)
    with Operations() as operations:
        session.tally.add(session.advance(*images_of(1, session)))
    assert operations.names().isdisjoint(WAITING)
    assert "_fused_adam_" in operations.names(), "the recorder sees nothing"


def test_what_cannot_be_recorded_is_played_as_it_is_written_and_said():
    (as_written, *_), (session, *_) = fresh_session(), fresh_session()
    said: list[str] = []

    def refuse(step: Callable[[], Any]) -> Any:
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    assert played(session, Pace(session, refuse, said.append)) == played(as_written, Pace(as_written, None, print))
    assert said == [
        "The step could not be recorded (operation not permitted when stream is capturing);"
        " it is played as it is written."
    ]


def images_like(plan: Plan) -> list[Images]:
    return [torch.zeros(plan.config.game.batch_size, 3, plan.config.data.size, plan.config.data.size)] * 2


class Compiled(torch.nn.Module):
    """What torch.compile returns, but that nothing is compiled."""

    def __init__(self, network: torch.nn.Module, **_: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Images) -> torch.Tensor:
        """Return what the network returns."""
        scores: torch.Tensor = self.network(images)
        return scores

    def __len__(self) -> int:
        """Fail as what torch.compile returns does where the network itself has no length."""
        raise TypeError("it does not support len()")


class Unfit(Compiled):
    """What torch.compile returns, and then fails."""

    def forward(self, _: Images) -> torch.Tensor:
        """Fail as a machine without a compiler does."""
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand more")


def test_of_the_rehearsal_with_compiled_networks_nothing_remains(monkeypatch):
    monkeypatch.setattr(torch, "compile", Compiled)
    (as_written, *_), (session, plan, fabric) = fresh_session(), fresh_session()
    said: list[str] = []
    compile_networks(session, fabric.setup_module, *images_like(plan), said.append)
    assert_same_state(session, as_written)
    assert said[1].startswith("Compiled in ")
    players = (session.game.networks.a2b, session.game.teachers["a2b"])
    assert all(any(isinstance(module, Compiled) for module in player.modules()) for player in players)
    assert played(session, Pace(session, None, print)) == played(as_written, Pace(as_written, None, print))


def test_networks_that_cannot_be_compiled_are_played_as_they_are_written_and_said(monkeypatch):
    monkeypatch.setattr(torch, "compile", Unfit)
    (as_written, *_), (session, plan, fabric) = fresh_session(), fresh_session()
    said: list[str] = []
    compile_networks(session, fabric.setup_module, *images_like(plan), said.append)
    assert said[1:] == [
        "The networks could not be compiled (InvalidCxxCompiler: No working C++ compiler found);"
        " they play as they are written."
    ]
    assert played(session, Pace(session, None, print)) == played(as_written, Pace(as_written, None, print))
    assert_same_state(session, as_written)
