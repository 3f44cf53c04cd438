"""Measure a step of training against the same mathematics done plainly; run from the repository's root.

    python -m scripts.benchmark_training [--size 256] [--batch-size 1] [--turns 5] [--device auto] [--json FILE]
    python -m scripts.benchmark_training --end-to-end FOLDER_A FOLDER_B [--steps 200]

Plain: fp32, one call for each term, biases before the norms, torch's own instance norm, Adam one weight at a time; how
the authors' code does it, in our plain form, which the tests check against their numbers (tests/support/plain_step.py).
Ours: what `cyclegan train` plays. Both play in turns in one process on the same images; medians are compared. The floor
is the counted work of a step at the rate of a large bf16 matrix product measured in the same run. Peaks of memory are
of a process for each version, over its size after the imports. End to end, a whole training is played on a real
folder, and the time outside its steps (loading, logging, samples, the doctor, saving) is what is looked for.
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
from unittest.mock import patch

import psutil
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cyclegan.checkpoints.run import Run
from cyclegan.config import Config, build_config
from cyclegan.data.domains import Domain
from cyclegan.devices import choose_device, describe_device, stream_of_its_own, uses_bf16
from cyclegan.diagnostics.measures import Numbers
from cyclegan.models import Networks, build_networks
from cyclegan.models.layers import replace_instance_norms
from cyclegan.training import setup, trainer
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.pool import ImagePool
from cyclegan.training.step import Game, play
from cyclegan.training.step_runner import WARM_UP_STEPS, StepRunner
from tests.support.plain_step import play_plainly


class PlainNorm(nn.Module):
    """torch's own instance norm."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        return F.instance_norm(x)


def plain_networks(config: Config, device: torch.device) -> Networks:
    """Return the networks as the authors build them: a bias in every convolution, torch's own instance norm."""
    networks = build_networks(config)
    for _, network in networks.named_children():
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is None:
                module.bias = nn.Parameter(torch.zeros(module.out_channels))
        replace_instance_norms(network, PlainNorm)
        network.to(device)
    return networks


def plain_game(config: Config, device: torch.device) -> Game:
    """Return the game as the authors play it."""
    nets, settings = plain_networks(config, device), config.optimizer

    def adam(*networks: nn.Module) -> torch.optim.Adam:
        weights = [weight for network in networks for weight in network.parameters()]
        return torch.optim.Adam(
            weights, settings.learning_rate, (settings.beta1, settings.beta2), fused=False, foreach=False
        )

    pools = [ImagePool(config.training.pool_size, seed, device) for seed in (0, 1)]
    return Game(
        nets, adam(nets.a2b, nets.b2a), adam(nets.disc_a, nets.disc_b), *pools, config.loss, torch.Tensor.backward
    )


Step = Callable[[torch.Tensor, torch.Tensor], object]
VERSIONS = ("plain", "ours")


def plain_step(config: Config, device: torch.device) -> Step:
    """Return what plays a step as the authors do."""
    game = plain_game(config, device)
    return lambda real_a, real_b: play_plainly(game, real_a, real_b)


def our_step(config: Config, device: torch.device) -> Step:
    """Return what plays a step as `cyclegan train` does, averages and vital signs included."""
    precision = "bf16" if uses_bf16(config.training.precision, device) else "fp32"
    nothing = Domain("", Path())
    plan = TrainInputs(config, Run(Path()), nothing, nothing, device, precision)
    fabric = engine(plan)
    session = setup.build_state(plan, fabric)
    pace = setup.quickened(session, plan, fabric, print)

    def step(real_a: torch.Tensor, real_b: torch.Tensor) -> Numbers:
        session.prepare(config.optimizer.learning_rate, len(real_a))
        session.step += 1
        return pace(*(images.contiguous(memory_format=session.layout) for images in (real_a, real_b)))

    return step


def step_of(version: str, config: Config, device: torch.device) -> Step:
    """Return what plays a step of `plain` or `ours`."""
    return (plain_step if version == "plain" else our_step)(config, device)


def images(config: Config, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the batches that both versions see."""
    shape = (2, config.training.batch_size, 3, config.data.size, config.data.size)
    real_a, real_b = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(device)
    return real_a, real_b


def peak(version: str, config: Config, device: torch.device) -> float:
    """Return the MiB that a version's steps take at most, of a GPU's memory or, on a CPU, of this process."""
    before = psutil.Process().memory_info().rss
    with stream_of_its_own(device):
        step = step_of(version, config, device)
        for _ in range(WARM_UP_STEPS + 2):
            step(*images(config, device))
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**20  # what a recording keeps for itself included
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
    side = 8192 if device.type == "cuda" else 4096
    a, b = torch.randn(2, side, side, device=device, dtype=torch.bfloat16)
    return 2 * side**3 / min(seconds(lambda: F.linear(a, b), device) for _ in range(8))


def counted_work(config: Config) -> int:
    """Return the floating-point operations of a step's convolutions, whoever plays it."""
    game = plain_game(config, torch.device("meta"))
    game.draw(config.training.batch_size)
    with FlopCounterMode(display=False) as counter:
        play(game, *images(config, torch.device("meta")))
    return counter.get_total_flops()


def measure(config: Config, device: torch.device, turns: int) -> dict[str, float | str | int]:
    """Play both versions in turns and return the figures."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as processes:
        peaks = {version: processes.submit(peak, version, config, device).result() for version in VERSIONS}
    real_a, real_b = images(config, device)
    steps = {version: step_of(version, config, device) for version in VERSIONS}
    times: dict[str, list[float]] = {version: [] for version in VERSIONS}
    warm_up = WARM_UP_STEPS + 1 if device.type == "cuda" else 1
    for turn in range(warm_up + turns):
        for version, step in steps.items():
            took = seconds(lambda step=step: step(real_a, real_b), device)  # type: ignore[misc]
            if turn >= warm_up:
                times[version].append(took)
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
        "ours_pairs_per_second": round(config.training.batch_size / medians["ours"], 3),
        "ratio": round(medians["plain"] / medians["ours"], 2),
        "floor_ms": round(floor * 1e3, 2),
        "share_of_floor": round(floor / medians["ours"], 3),
        "plain_peak_mib": round(peaks["plain"]),
        "ours_peak_mib": round(peaks["ours"]),
        "peak_ratio": round(peaks["ours"] / peaks["plain"], 3),
    }


class Stopwatch(StepRunner):
    """Plays steps and sums up how long they take, the device's part included, without waiting for it."""

    def __init__(self, pace: StepRunner) -> None:
        super().__init__(pace.session, pace.record, pace.tell)
        self.host = 0.0
        self.events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def __call__(self, real_a: torch.Tensor, real_b: torch.Tensor) -> Numbers:
        """Play one step."""
        started = time.perf_counter()
        on_cuda = real_a.is_cuda
        if on_cuda:
            self.events.append((torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)))
            self.events[-1][0].record()
        numbers = super().__call__(real_a, real_b)
        if on_cuda:
            self.events[-1][1].record()
        self.host += time.perf_counter() - started
        return numbers

    def seconds(self) -> float:
        """Return the sum."""
        if not self.events:
            return self.host
        torch.cuda.synchronize()
        return sum(start.elapsed_time(end) for start, end in self.events) / 1e3


def measure_end_to_end(config: Config, folder: Path) -> dict[str, float | str | int]:
    """Train in `folder` and return how much of the time is spent outside the steps."""
    plan = trainer.prepare(config, Run(folder), scratch=folder.parent)
    watches: list[Stopwatch] = []
    quickened = setup.quickened

    def watched(*given: object) -> StepRunner:
        watches.append(Stopwatch(quickened(*given)))  # type: ignore[arg-type]
        return watches[0]

    plan.run.samples.mkdir(parents=True)
    with patch.object(trainer, "quickened", watched):
        outcome = trainer.train(plan, tell=print)
    inside = watches[0].seconds()
    return {
        "device": describe_device(plan.device),
        "torch": torch.__version__,
        "steps": outcome.played,
        "seconds": round(outcome.seconds, 1),
        "inside_the_steps": round(inside, 1),
        "share_outside": round(1 - inside / outcome.seconds, 4),
        "samples_per_second": round(outcome.played * config.training.batch_size / outcome.seconds, 3),
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
    parser.add_argument("--end-to-end", type=Path, nargs=2, metavar=("FOLDER_A", "FOLDER_B"))
    parser.add_argument("--steps", type=int, default=200, help="of the training end to end")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    data: dict[str, object] = {"size": asked.size}
    if asked.end_to_end:
        data |= {"folder_a": str(asked.end_to_end[0]), "folder_b": str(asked.end_to_end[1])}
    config = build_config(
        {
            "data": data,
            "generator": {"width": asked.width},
            "discriminator": {"width": asked.width},
            "training": {"batch_size": asked.batch_size, "precision": asked.precision},
            "machine": {"device": asked.device, "activation_checkpointing": asked.recompute},
            "schedule": {"max_steps": asked.steps},
        }
    )
    if asked.end_to_end:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure_end_to_end(config, Path(folder) / "run")
    else:
        device = choose_device(asked.device)
        with stream_of_its_own(device):
            figures = measure(config, device, asked.turns)
    print("\n".join(f"{name:24} {value}" for name, value in figures.items()))  # noqa: T201
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
