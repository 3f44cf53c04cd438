"""Measure a step of training against the same mathematics done plainly; run from the repository's root.

    python -m scripts.benchmark_training [--size 256] [--batch-size 1] [--turns 5] [--device auto] [--json FILE]

Plain: fp32, one call for each term, biases before the norms, torch's own instance norm, Adam one weight at a time; how
the authors' code does it, in our plain form, which the tests check against their numbers (tests/training/plain.py).
Ours: what `cyclegan train` plays. Both play in turns in one process on the same images; medians are compared. The floor
is the counted work of a step at the rate of a large bf16 matrix product measured in the same run.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cyclegan.config import Config, build_config
from cyclegan.data.domains import Domain
from cyclegan.devices import choose_device, describe_device, uses_bf16
from cyclegan.models import Networks, build_networks
from cyclegan.models.layers import replace_instance_norms
from cyclegan.runs import Run
from cyclegan.training.plan import Plan
from cyclegan.training.pool import ImagePool
from cyclegan.training.step import Game, play
from cyclegan.training.trainer import engine, new_session
from tests.training.plain import play_plainly


class PlainNorm(nn.Module):
    """torch's own instance norm."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        return F.instance_norm(x)


def plain_networks(config: Config, device: torch.device) -> Networks:
    """Return the networks as the authors build them: a bias in every convolution, torch's own instance norm."""
    networks = build_networks(config)
    for _, network in networks.named():
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

    pools = [ImagePool(config.game.pool_size, seed) for seed in (0, 1)]
    return Game(
        nets, adam(nets.a2b, nets.b2a), adam(nets.disc_a, nets.disc_b), *pools, config.loss, torch.Tensor.backward
    )


def our_game(config: Config, device: torch.device) -> Game:
    """Return the game as `cyclegan train` plays it."""
    precision = "bf16" if uses_bf16(config.game.precision, device) else "fp32"
    nothing = Domain("", Path())
    plan = Plan(config, Run(Path()), nothing, nothing, device, precision)
    return new_session(plan, engine(plan)).game


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


def counted_work(game: Game, real_a: torch.Tensor, real_b: torch.Tensor) -> int:
    """Return the floating-point operations of a step's convolutions."""
    with FlopCounterMode(display=False) as counter:
        play(game, real_a, real_b)
    return counter.get_total_flops()


def measure(config: Config, device: torch.device, turns: int) -> dict[str, float | str | int]:
    """Play both versions in turns and return the figures."""
    random = torch.Generator().manual_seed(0)
    shape = (2, config.game.batch_size, 3, config.data.size, config.data.size)
    real_a, real_b = (torch.rand(shape, generator=random) * 2 - 1).to(device)
    plain, ours = plain_game(config, device), our_game(config, device)
    work = counted_work(ours, real_a, real_b)
    versions: dict[str, Callable[[], object]] = {
        "plain": lambda: play_plainly(plain, real_a, real_b),
        "ours": lambda: play(ours, real_a, real_b),
    }
    times: dict[str, list[float]] = {name: [] for name in versions}
    peaks = dict.fromkeys(versions, 0.0)
    for turn in range(turns + 1):
        for name, step in versions.items():
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            took = seconds(step, device)
            if turn > 0:  # the first warms up
                times[name].append(took)
            if device.type == "cuda":
                peaks[name] = torch.cuda.max_memory_allocated(device) / 2**20
    medians = {name: statistics.median(values) for name, values in times.items()}
    floor = work / matrix_rate(device)
    return {
        "device": describe_device(device),
        "torch": torch.__version__,
        "size": config.data.size,
        "batch_size": config.game.batch_size,
        "turns": turns,
        "work_tflop": round(work / 1e12, 3),
        "plain_ms": round(medians["plain"] * 1e3, 1),
        "ours_ms": round(medians["ours"] * 1e3, 1),
        "ours_pairs_per_second": round(config.game.batch_size / medians["ours"], 3),
        "ratio": round(medians["plain"] / medians["ours"], 2),
        "floor_ms": round(floor * 1e3, 2),
        "share_of_floor": round(floor / medians["ours"], 3),
        "plain_peak_mib": round(peaks["plain"]),
        "ours_peak_mib": round(peaks["ours"]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    config = build_config(
        {
            "data": {"size": asked.size},
            "generator": {"width": asked.width},
            "discriminator": {"width": asked.width},
            "game": {"batch_size": asked.batch_size},
        }
    )
    figures = measure(config, choose_device(asked.device), asked.turns)
    print("\n".join(f"{name:24} {value}" for name, value in figures.items()))  # noqa: T201
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
