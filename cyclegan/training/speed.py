"""The speed of training steps on this machine, measured with networks that are thrown away."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.data.domains import Domain
from cyclegan.devices import choose_device, cuda_side_stream, memory_errors, threads_of_torch, uses_bf16
from cyclegan.training.build import TRAINING_MEMORY_HINT, build_state
from cyclegan.training.concurrency import process_shared_with_other_trainings
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.step_runner import WARM_UP_STEPS, StepRunner, capture_cuda_graph

MIN_TIMED_SECONDS, MIN_TIMED_STEPS = 1.0, 2  # that are measured, after the first steps


def measured_seconds_per_step(config: Config, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that a step takes with these settings on their device; nothing else is changed.

    Steps are not compiled, which would take minutes, and of several devices one is measured: compiled they are faster,
    and what several devices exchange makes them slower. It takes some seconds.
    """
    device = choose_device(config.machine.device)
    inputs = TrainInputs(
        config=config,
        run=Run(Path()),
        domain_a=Domain(config.data.name_a, Path()),
        domain_b=Domain(config.data.name_b, Path()),
        device=device,
        precision="bf16" if uses_bf16(config.training.precision, device) else "fp32",
    )
    threads = torch.get_num_threads() if config.machine.threads == "auto" else config.machine.threads
    try:
        with (
            threads_of_torch(threads),
            process_shared_with_other_trainings(inputs),
            torch.random.fork_rng([torch.cuda.current_device()] if device.type == "cuda" else []),
            cuda_side_stream(device),
            memory_errors(device, TRAINING_MEMORY_HINT),
        ):
            return timed_steps(inputs, clock)
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def timed_steps(inputs: TrainInputs, clock: Callable[[], float]) -> float:
    """Return the mean seconds of a few steps on noise; the first ones, which prepare the device, do not count."""
    state, _ = build_state(inputs)
    captured = inputs.device.type == "cuda" and inputs.config.machine.compile != "off"
    run_step = StepRunner(state, capture_cuda_graph if captured else None, lambda _: None)
    data, batch = inputs.config.data, inputs.config.training.batch_size
    real_a, real_b = (
        (torch.rand(batch, channels, data.size, data.size, device=inputs.device) * 2 - 1).contiguous(
            memory_format=state.memory_format
        )
        for channels in (data.channels_a, data.channels_b)
    )

    def step() -> None:
        run_step(real_a, real_b, 0.0)
        if inputs.device.type == "cuda":
            torch.cuda.synchronize(inputs.device)

    for _ in range(WARM_UP_STEPS + 1 if captured else 1):
        step()
    steps, started = 0, clock()
    while steps < MIN_TIMED_STEPS or clock() - started < MIN_TIMED_SECONDS:
        step()
        steps += 1
    return (clock() - started) / steps
