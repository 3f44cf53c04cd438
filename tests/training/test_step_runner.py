"""A compiled or captured step equals the eager one, and nothing in it waits for the device."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cyclegan.checkpoints.model_file import ModelInfo
from cyclegan.checkpoints.run import Run
from cyclegan.images import Images
from cyclegan.models import build_networks
from cyclegan.training.build import build_state
from cyclegan.training.distillation import Teacher
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.state import TrainState
from cyclegan.training.step import prepare_step, train_step
from cyclegan.training.step_runner import WARM_UP_STEPS, StepRunner, compile_networks
from tests.support.failing_trainings import Case, inputs_of
from tests.support.states import tiny_config

STEPS = WARM_UP_STEPS + 5
WAITING = (
    "_local_scalar_dense",
    "nonzero",
    "equal",
    "unique",
    "masked_select",
)  # where a host needs a device's numbers


class Operations(TorchDispatchMode):
    """Does on a CPU what a CUDA graph does: replays the same operations on the same memory.

    What the host decided during the capture stays as it was.
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
    def replay(self) -> None:
        """Do them again; what they returned is overwritten."""
        for function, args, kwargs, result in self.calls:
            again = function(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, torch.Tensor):
                    old.data.copy_(new)


def capture_on_cpu(step: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """Capture a step; this also runs it, so the first replay does nothing."""
    with Operations() as operations:
        numbers = step()
    done = iter([True])
    return numbers, lambda: None if next(done, False) else operations.replay()


def wide_teacher() -> Teacher:
    """Return a model that is wider than the student."""
    config = tiny_config({"generator": {"width": 6}, "training": {"init_gain": 0.2}})
    info = ModelInfo(generator=config.resolved_generator, domain_a="a", domain_b="b", size=32, steps=1, averaged=False)
    weights = {
        f"{name}.{key}": weight
        for name, network in build_networks(config).named_children()
        for key, weight in network.state_dict().items()
    }
    return Teacher(info, weights)


def fresh_state(precision: str = "fp32") -> tuple[TrainState, TrainInputs, Any]:
    settings = {
        "training": {"batch_size": 2, "pool_size": 3, "ema_decay": 0.9, "diffaugment": True},
        "data": {"paired": True},
    }
    inputs = replace(inputs_of(Run(Path()), Case(settings=settings)), precision=precision, teacher=wide_teacher())
    state, fabric = build_state(inputs)
    return state, inputs, fabric


def images_of(step: int, state: TrainState) -> list[Images]:
    random = torch.Generator().manual_seed(step)
    batches = torch.rand(2, 2, 3, 32, 32, generator=random) * 2 - 1
    return [batch.contiguous(memory_format=state.memory_format) for batch in batches]


def numbers_of(state: TrainState, runner: StepRunner) -> list[dict[str, float]]:
    """Run steps whose learning rate and pairs change every time; return their numbers."""
    numbers = []
    for step in range(STEPS):
        is_pair = torch.tensor([step % 2 == 0, step % 3 == 0])
        values = runner(*images_of(step, state), 1e-3 / (1 + step), is_pair)
        numbers.append({name: float(value) for name, value in values.items()})
        state.step += 1
    return numbers


def assert_same_state(state: TrainState, other: TrainState) -> None:
    (tensors, facts), (expected, expected_facts) = state.state_dict(), other.state_dict()
    assert facts == expected_facts
    assert tensors.keys() == expected.keys()
    assert [name for name, tensor in tensors.items() if not torch.equal(tensor, expected[name])] == []


@pytest.mark.parametrize(("precision", "warmup"), [("fp32", 0), ("bf16", 0), ("fp32", 2)])
def test_a_replayed_step_equals_the_eager_one_bit_for_bit(precision, warmup):
    (eager, *_), (captured, *_) = fresh_state(precision), fresh_state(precision)
    eager.discriminator_warmup = captured.discriminator_warmup = warmup
    expected = numbers_of(eager, StepRunner(eager, None, print))
    runner = StepRunner(captured, capture_on_cpu, print)
    assert numbers_of(captured, runner) == expected
    assert runner.captured is not None
    assert_same_state(captured, eager)


def test_nothing_in_a_step_waits_for_the_device():
    state, *_ = fresh_state()
    prepare_step(state, 1e-3, 2)
    with Operations() as operations:
        state.means.add(train_step(state, *images_of(1, state)))
    assert operations.names().isdisjoint(WAITING)
    assert "_fused_adam_" in operations.names(), "nothing was captured"


def test_a_step_that_cannot_be_captured_runs_eager_with_a_message():
    (eager, *_), (state, *_) = fresh_state(), fresh_state()
    messages: list[str] = []

    def refuse(step: Callable[[], Any]) -> Any:
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    assert numbers_of(state, StepRunner(state, refuse, messages.append)) == numbers_of(
        eager, StepRunner(eager, None, print)
    )
    assert messages == [
        "The step could not be captured as a CUDA graph (operation not permitted when stream is capturing);"
        " it runs eager."
    ]


def images_like(inputs: TrainInputs) -> list[Images]:
    return [torch.zeros(inputs.config.training.batch_size, 3, inputs.config.data.size, inputs.config.data.size)] * 2


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


def test_the_dry_run_of_compiled_networks_leaves_the_state_unchanged(monkeypatch):
    monkeypatch.setattr(torch, "compile", Compiled)
    (eager, *_), (state, inputs, fabric) = fresh_state(), fresh_state()
    messages: list[str] = []
    compile_networks(state, fabric.setup_module, *images_like(inputs), messages.append)
    assert_same_state(state, eager)
    assert messages[1].startswith("Compiled in ")
    compiled = (state.engine.networks.a2b, state.engine.teachers["a2b"])
    assert all(any(isinstance(module, Compiled) for module in network.modules()) for network in compiled)
    assert numbers_of(state, StepRunner(state, None, print)) == numbers_of(eager, StepRunner(eager, None, print))


def test_networks_that_cannot_be_compiled_run_eager_with_a_message(monkeypatch):
    monkeypatch.setattr(torch, "compile", Unfit)
    (eager, *_), (state, inputs, fabric) = fresh_state(), fresh_state()
    messages: list[str] = []
    compile_networks(state, fabric.setup_module, *images_like(inputs), messages.append)
    assert messages[1:] == [
        "The networks could not be compiled (InvalidCxxCompiler: No working C++ compiler found); they run eager."
    ]
    assert numbers_of(state, StepRunner(state, None, print)) == numbers_of(eager, StepRunner(eager, None, print))
    assert_same_state(state, eager)
