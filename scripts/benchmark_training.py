"""Measure a training step against the same mathematics written plainly; run from the repository's root.

    python -m scripts.benchmark_training [--size 256] [--batch-size 1] [--turns 5] [--device auto] [--json FILE]

Plain (`plain_step.py`): fp32, one call for each loss term, biases before the norms, torch's own instance norm and
unfused Adam, as in the authors' code. Ours: the step of `cyclegan train`. They take turns in one process on the same
images; medians are compared, and so are the generators' losses in the first step. The floor is the arithmetic of a step
at the rate of a large bf16 matrix product, measured in the same run. Memory peaks are of one process each, above its
size after the imports.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from cyclegan.checkpoints.run import Run
from cyclegan.config import Config, build_config
from cyclegan.data.domains import Domain
from cyclegan.devices import choose_device, cuda_side_stream, describe_device, uses_bf16
from cyclegan.diagnostics.measures import Numbers
from cyclegan.losses import LOSS_NAMES
from cyclegan.training import TrainInputs
from cyclegan.training.build import build_state
from cyclegan.training.step_runner import WARM_UP_STEPS, step_runner
from scripts.plain_step import PlainStep

Step = Callable[[torch.Tensor, torch.Tensor], Any]  # returns its losses
VERSIONS = ("plain", "ours")


def plain_step(config: Config, device: torch.device) -> Step:
    """Return the authors' step."""
    return PlainStep(config, device)


def our_step(config: Config, device: torch.device) -> Step:
    """Return one step of `cyclegan train`, EMA and measures included."""
    precision = "bf16" if uses_bf16(config.training.precision, device) else "fp32"
    no_pictures = Domain("", Path())
    inputs = TrainInputs(config, Run(Path()), no_pictures, no_pictures, device, precision)
    state, fabric = build_state(inputs)
    run_step = step_runner(state, inputs, fabric, print)

    def step(real_a: torch.Tensor, real_b: torch.Tensor) -> Numbers:
        real_a, real_b = (images.contiguous(memory_format=state.memory_format) for images in (real_a, real_b))
        numbers = run_step(real_a, real_b, config.optimizer.learning_rate)
        state.step += 1
        return numbers

    return step


def step_of(version: str, config: Config, device: torch.device) -> Step:
    """Return the step of `plain` or `ours`."""
    return (plain_step if version == "plain" else our_step)(config, device)


def images(config: Config, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the batches that both versions see."""
    shape = (2, config.training.batch_size, 3, config.data.size, config.data.size)
    real_a, real_b = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(device)
    return real_a, real_b


def peak(version: str, config: Config, device: torch.device) -> float:
    """Return the MiB that a version's steps take at most, of a GPU's memory or, on a CPU, of this process."""
    before = psutil.Process().memory_info().rss
    with cuda_side_stream(device):
        step = step_of(version, config, device)
        for _ in range(WARM_UP_STEPS + 2):
            step(*images(config, device))
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**20  # the memory of a CUDA graph included
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10 - before) / 2**20


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long a piece of work takes, the device's part included."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def matrix_rate(device: torch.device) -> float:
    """Return the best rate of a large bf16 matrix product, in floating-point operations per second."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / min(seconds(lambda: F.linear(a, b), device) for _ in range(8))


def counted_work(config: Config) -> int:
    """Return the floating-point operations of a step's convolutions, in any version."""
    step = PlainStep(config, torch.device("meta"))
    with FlopCounterMode(display=False) as counter:
        step(*images(config, torch.device("meta")))
    return counter.get_total_flops()


def measure(config: Config, device: torch.device, turns: int) -> dict[str, float | str | int]:
    """Run both versions in turns and return the figures."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        peaks = {version: processes.submit(peak, version, config, device).result() for version in VERSIONS}
    real_a, real_b = images(config, device)
    steps = {version: step_of(version, config, device) for version in VERSIONS}
    plain_loss, ours = float(steps["plain"](real_a, real_b)), steps["ours"](real_a, real_b)  # from equal weights
    our_loss = sum(float(ours[name]) for name in LOSS_NAMES if name in ours and not name.startswith("disc"))
    times: dict[str, list[float]] = {version: [] for version in VERSIONS}
    warm_up = WARM_UP_STEPS if device.type == "cuda" else 0  # after the first step
    for turn in range(warm_up + turns):
        for version, step in steps.items():
            duration = seconds(lambda step=step: step(real_a, real_b), device)  # type: ignore[misc]
            if turn >= warm_up:
                times[version].append(duration)
    medians = {name: statistics.median(values) for name, values in times.items()}
    work = counted_work(config)
    floor = work / matrix_rate(device)
    return {
        "device": describe_device(device),
        "torch": torch.__version__,
        "size": config.data.size,
        "batch_size": config.training.batch_size,
        "turns": turns,
        "work_tflop": round(work / 1e12, 3),
        "plain_ms": round(medians["plain"] * 1e3, 1),
        "ours_ms": round(medians["ours"] * 1e3, 1),
        "ours_samples_per_second": round(config.training.batch_size / medians["ours"], 3),
        "ratio": round(medians["plain"] / medians["ours"], 2),
        "floor_ms": round(floor * 1e3, 2),
        "share_of_floor": round(floor / medians["ours"], 3),
        "plain_peak_mib": round(peaks["plain"]),
        "ours_peak_mib": round(peaks["ours"]),
        "peak_ratio": round(peaks["ours"] / peaks["plain"], 3),
        "loss_difference": abs(our_loss / plain_loss - 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--recompute", action="store_true", help="with activation checkpointing")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = build_config(
        {
            "data": {"size": options.size},
            "generator": {"width": options.width},
            "discriminator": {"width": options.width},
            "training": {"batch_size": options.batch_size, "precision": options.precision},
            "machine": {"device": options.device, "activation_checkpointing": options.recompute},
        }
    )
    device = choose_device(options.device)
    with cuda_side_stream(device):
        figures = measure(config, device, options.turns)
    print("\n".join(f"{name:24} {value}" for name, value in figures.items()))  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
