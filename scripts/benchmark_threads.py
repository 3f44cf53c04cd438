"""Time a training step on a CPU: all threads in each operator, or half of the step in each of two threads.

    python -m scripts.benchmark_threads --size 96 --width 16 --busy 1

`--busy N` starts N processes that count in a loop. The ways to run take turns; medians are printed.
"""

import argparse
import multiprocessing
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import torch

from cyclegan.cli.console import say
from cyclegan.config import Config, Settings, build_config
from cyclegan.devices import describe_device
from cyclegan.training.speed import measured_seconds_per_step

WAYS: dict[str, Settings] = {
    "one thread": {"machine": {"threads": 1}},
    "threads in operators": {"machine": {"two_threads": False}},
    "two halves": {"machine": {"two_threads": True}},
}


def count_for_ever() -> None:
    """Keep a processor busy."""
    for _ in count():
        pass


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep so many processors busy within the block."""
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=count_for_ever, daemon=True) for _ in range(processes)]
    for process in started:
        process.start()
    try:
        yield
    finally:
        for process in started:
            process.terminate()


def configs(size: int, width: int) -> dict[str, Config]:
    """Return the settings of each way."""
    network = {"width": width}
    settings: Settings = {"data": {"size": size}, "generator": network, "discriminator": network}
    return {name: build_config(settings, {"machine": {"device": "cpu"}}, way) for name, way in WAYS.items()}


def main() -> None:
    """Print the median seconds of a step of each way, and its speed against the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--size", 96), ("--width", 16), ("--busy", 0), ("--turns", 3)):
        parser.add_argument(name, type=int, default=default)
    options = parser.parse_args()
    ways = configs(options.size, options.width)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with busy(options.busy):
        for _ in range(options.turns):
            for name, config in ways.items():
                seconds[name].append(measured_seconds_per_step(config))
    say(
        f"{describe_device(torch.device('cpu'))}, torch {torch.__version__}, {options.size} px, width {options.width}, "
        f"{options.busy} other busy processes, medians of {options.turns} turns"
    )
    first = statistics.median(next(iter(seconds.values())))
    for name, measured in seconds.items():
        median = statistics.median(measured)
        say(f"{name:<22} {median:7.3f} s   {first / median:5.2f}   ({', '.join(f'{s:.3f}' for s in measured)})")


if __name__ == "__main__":
    main()
