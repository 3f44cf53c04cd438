"""Runs steps as fast as the device allows: eager, or with compiled networks and the whole step as one CUDA graph.

A captured step starts its thousands of kernels without the host. What changes from step to step lies in tensors that
`prepare_step` fills beforehand. What cannot be compiled or captured runs eager, and a message says so.
"""

import gc
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cyclegan.devices import memory_errors
from cyclegan.diagnostics.measures import Numbers
from cyclegan.images import Images
from cyclegan.models import Networks
from cyclegan.text import first_line
from cyclegan.training.build import TRAINING_MEMORY_HINT
from cyclegan.training.inputs import Log, TrainInputs
from cyclegan.training.lightning import Fabric
from cyclegan.training.state import TrainState, cpu_copy
from cyclegan.training.step import prepare_step, train_step

Replay = Callable[[], object]
Capture = Callable[[Callable[[], Numbers]], tuple[Numbers, Replay]]

WARM_UP_STEPS = 3  # before a capture: what is allocated once, such as Adam's moments, is there by then


class StepRunner:
    """Prepares and runs steps; after the warm-up it captures one, where it can, and replays that."""

    def __init__(self, state: TrainState, capture: Capture | None, log: Log) -> None:
        self.state = state
        self.capture = capture
        self.log = log
        self.steps = 0
        self.captured: CapturedStep | None = None

    def __call__(self, real_a: Images, real_b: Images, learning_rate: float, is_pair: Tensor | None = None) -> Numbers:
        """Run one step on images n c h w in [-1, 1]; the numbers returned hold until the next."""
        prepare_step(self.state, learning_rate, len(real_a), is_pair)
        if self.capture and self.steps == WARM_UP_STEPS:
            try:
                self.captured = CapturedStep(self.state, self.capture, real_a, real_b)
            except Exception as error:
                why = first_line(error.__context__ or error)  # the end of a failed capture raises an error of its own
                self.log(f"The step could not be captured as a CUDA graph ({why}); it runs eager.")
        if self.captured:
            return self.captured(real_a, real_b)
        generators_learn = self.state.step >= self.state.discriminator_warmup
        self.steps += generators_learn  # only a whole step may be captured
        step = partial(train_step, self.state, real_a, real_b, generators_learn=generators_learn)
        return self.state.engine.threads.run(step)


class CapturedStep:
    """A captured step, replayed with other images in the place of the first."""

    def __init__(self, state: TrainState, capture: Capture, real_a: Images, real_b: Images) -> None:
        self.real_a, self.real_b = real_a.clone(), real_b.clone()
        self.numbers, self.replay = capture(lambda: train_step(state, self.real_a, self.real_b))

    def __call__(self, real_a: Images, real_b: Images) -> Numbers:
        """Run the step; the next call overwrites its numbers."""
        self.real_a.copy_(real_a)
        self.real_b.copy_(real_b)
        self.replay()
        return self.numbers


def step_runner(state: TrainState, inputs: TrainInputs, fabric: Fabric, log: Log) -> StepRunner:
    """Return what runs the steps of a training.

    On a CPU compilation takes longer than it saves; what ranks exchange can neither be compiled nor captured.
    """
    config, single_gpu = inputs.config, inputs.device.type == "cuda" and inputs.ranks.count == 1
    torch.backends.cudnn.benchmark = config.machine.compile != "off"  # all images are of one size
    if config.machine.compile == "on" or (config.machine.compile == "auto" and single_gpu):
        channels, size = (config.data.channels_a, config.data.channels_b), config.data.size
        images = [torch.zeros(config.training.batch_size, c, size, size, device=inputs.device) for c in channels]
        real_a, real_b = (image.contiguous(memory_format=state.memory_format) for image in images)
        with memory_errors(inputs.device, TRAINING_MEMORY_HINT):
            compile_networks(state, fabric.setup_module, real_a, real_b, log)
    return StepRunner(state, capture_cuda_graph if single_gpu and config.machine.compile != "off" else None, log)


def capture_cuda_graph(step: Callable[[], Numbers]) -> tuple[Numbers, Replay]:
    """Capture what a step does on a CUDA device without doing it; return its numbers-to-be and the replay.

    The steps before must have run on this stream, which is not the default one, and have left nothing behind.
    """
    graph = torch.cuda.CUDAGraph()
    gc.collect()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        numbers = step()
    return numbers, graph.replay


def compile_networks(
    state: TrainState, wrap: Callable[[nn.Module], nn.Module], real_a: Images, real_b: Images, log: Log
) -> None:
    """Compile the networks of the engine if one dry run with them succeeds; the state is as before."""
    engine = state.engine
    eager = engine.networks, engine.teachers
    tensors, facts = state.state_dict()
    before = cpu_copy(tensors)
    log("Compiling the networks for this device, which takes a minute or two the first time.")
    started = time.perf_counter()
    try:
        compiled: dict[str, Any] = {
            name: torch.compile(network, dynamic=False) for name, network in state.networks.named_children()
        }
        engine.networks = Networks(**{name: wrap(network) for name, network in compiled.items()})
        teachers: dict[str, Any] = {
            direction: torch.compile(teacher, dynamic=False) for direction, teacher in engine.teachers.items()
        }
        engine.teachers = teachers
        prepare_step(state, 0.0, len(real_a))
        train_step(state, real_a, real_b)
        log(f"Compiled in {time.perf_counter() - started:.0f} s.")
    except Exception as error:
        engine.networks, engine.teachers = eager
        log(f"The networks could not be compiled ({first_line(error)}); they run eager.")
    state.load_state_dict(before, facts)
