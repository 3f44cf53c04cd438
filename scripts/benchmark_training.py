"""Measure a training step against the same mathematics written plainly; run from the repository's root.

    python -m scripts.benchmark_training [--size 256] [--batch-size 1] [--turns 5] [--device auto] [--json FILE]
    python -m scripts.benchmark_training --end-to-end FOLDER_A FOLDER_B [--steps 200]

Plain (`plain_training.py`): fp32, one call for each loss term, biases before the norms, torch's own instance norm and
unfused Adam, as in the authors' code. Ours: the step of `cyclegan train`. They take turns in one process on the same
images; medians are compared, and so are the losses of the first step. The floor is the arithmetic of a step at the rate
of a large bf16 matrix product, measured in the same run. Memory peaks are of one process each, above its size after the
imports. End to end, a whole training in a real folder is compared with as many steps alone: the rest is loading,
logging, samples, diagnostics and saving.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from cyclegan.checkpoints.runs import Run
from cyclegan.config import Config, build_config
from cyclegan.data.domains import Domain
from cyclegan.devices import choose_device, cuda_side_stream, describe_device, uses_bf16
from cyclegan.losses import LOSS_NAMES
from cyclegan.training import TrainInputs, run
from cyclegan.training.build import build_state
from cyclegan.training.step_runner import WARM_UP_STEPS, step_runner
from scripts.plain_training import PlainTraining

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]
VERSIONS = ("plain", "ours")
Figures = dict[str, float | str | int]


def step_of(version: str, config: Config, device: torch.device) -> Step:
    """Return the training step of `plain` or `ours`."""
    if version == "plain":
        return PlainTraining(config, device).step
    precision = "bf16" if uses_bf16(config.training.precision, device) else "fp32"
    no_pictures = Domain("", Path())
    inputs = TrainInputs(config, Run(Path()), no_pictures, no_pictures, device, precision)
    state, fabric = build_state(inputs)
    run_step = step_runner(state, inputs, fabric, print)

    def step(real_a: torch.Tensor, real_b: torch.Tensor) -> dict[str, torch.Tensor]:
        real_a, real_b = (images.contiguous(memory_format=state.memory_format) for images in (real_a, real_b))
        numbers = run_step(real_a, real_b, config.optimizer.learning_rate)
        state.step += 1
        return numbers

    return step


def random_images(config: Config, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the batches that both versions get."""
    shape = (2, config.training.batch_size, 3, config.data.size, config.data.size)
    real_a, real_b = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(device)
    return real_a, real_b


def peak_memory(version: str, config: Config, device: torch.device) -> float:
    """Return the peak of a version's steps in MiB, of the GPU's memory or, on a CPU, of this process."""
    before = psutil.Process().memory_info().rss
    with cuda_side_stream(device):
        step = step_of(version, config, device)
        for _ in range(WARM_UP_STEPS + 2):
            step(*random_images(config, device))
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**20  # includes the memory of a CUDA graph
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10 - before) / 2**20


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return how long a function takes, including the device's work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def matrix_rate(device: torch.device) -> float:
    """Return the best rate of a large bf16 matrix product, in floating-point operations per second."""
    side = 8192 if device.type == "cuda" else 4096
    a, b = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / min(seconds(lambda: F.linear(a, b), device) for _ in range(8))


def count_operations(config: Config) -> int:
    """Return the floating-point operations of the convolutions of a step."""
    meta = torch.device("meta")
    with FlopCounterMode(display=False) as counter:
        PlainTraining(config, meta).step(*random_images(config, meta))
    return counter.get_total_flops()


def measure(config: Config, device: torch.device, turns: int) -> Figures:
    """Run both versions in turns and return the figures."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        peaks = {version: processes.submit(peak_memory, version, config, device).result() for version in VERSIONS}
    images = random_images(config, device)
    steps = {version: step_of(version, config, device) for version in VERSIONS}
    first = {version: {name: float(loss) for name, loss in step(*images).items()} for version, step in steps.items()}
    times = {version: [] for version in VERSIONS}
    warm_up = WARM_UP_STEPS if device.type == "cuda" else 0  # beside the first step
    for turn in range(warm_up + turns):
        for version, step in steps.items():
            duration = seconds(lambda step=step: step(*images), device)
            if turn >= warm_up:
                times[version].append(duration)
    plain, ours = (statistics.median(times[version]) for version in VERSIONS)
    operations = count_operations(config)
    floor = operations / matrix_rate(device)
    return {
        "device": describe_device(device),
        "torch": torch.__version__,
        "size": config.data.size,
        "batch_size": config.training.batch_size,
        "turns": turns,
        "tflop_per_step": round(operations / 1e12, 3),
        "plain_ms": round(plain * 1e3, 1),
        "ours_ms": round(ours * 1e3, 1),
        "ours_samples_per_second": round(config.training.batch_size / ours, 3),
        "ratio": round(plain / ours, 2),
        "floor_ms": round(floor * 1e3, 2),
        "share_of_floor": round(floor / ours, 3),
        "plain_peak_mib": round(peaks["plain"]),
        "ours_peak_mib": round(peaks["ours"]),
        "peak_ratio": round(peaks["ours"] / peaks["plain"], 3),
        "largest_loss_difference": max(abs(first["plain"][name] / first["ours"][name] - 1) for name in first["plain"]),
        "losses_compared": len(first["plain"].keys() & LOSS_NAMES),
    }


def measure_end_to_end(config: Config, device: torch.device, turns: int, folder: Path) -> Figures:
    """Time steps alone, then a whole training in `folder`; return how much of its time is outside the steps."""
    with cuda_side_stream(device):
        step, images = step_of("ours", config, device), random_images(config, device)
        for _ in range(WARM_UP_STEPS + 1):
            step(*images)
        step_seconds = seconds(lambda: [step(*images) for _ in range(turns)], device) / turns
    result = run(config, folder, log=print)
    return {
        "device": describe_device(device),
        "torch": torch.__version__,
        "steps": result.steps_done,
        "seconds": round(result.seconds, 1),
        "seconds_of_steps_alone": round(step_seconds * result.steps_done, 1),
        "share_outside": round(1 - step_seconds * result.steps_done / result.seconds, 4),
        "samples_per_second": round(result.steps_done * config.training.batch_size / result.seconds, 3),
    }


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--recompute", action="store_true", help="with activation checkpointing")
    parser.add_argument("--end-to-end", type=Path, nargs=2, metavar=("FOLDER_A", "FOLDER_B"))
    parser.add_argument("--steps", type=int, default=200, help="of the training end to end")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def config_of(options: argparse.Namespace) -> Config:
    """Return the settings of the training to measure."""
    folders = options.end_to_end or ("", "")
    return build_config(
        {
            "data": {"size": options.size, "folder_a": str(folders[0]), "folder_b": str(folders[1])},
            "generator": {"width": options.width},
            "discriminator": {"width": options.width},
            "training": {"batch_size": options.batch_size, "precision": options.precision},
            "machine": {"device": options.device, "activation_checkpointing": options.recompute},
            "schedule": {"max_steps": options.steps},
        }
    )


def main() -> None:
    """Measure and print."""
    options = parse_options()
    config, device = config_of(options), choose_device(options.device)
    if options.end_to_end:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure_end_to_end(config, device, options.turns, Path(folder) / "run")
    else:
        with cuda_side_stream(device):
            figures = measure(config, device, options.turns)
    print("\n".join(f"{name:24} {value}" for name, value in figures.items()))  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
