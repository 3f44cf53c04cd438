"""Measure what the engine's own calls take of a step on one device, beyond what the networks and optimizers do in them.

    python -m scripts.measure_engine --size 256 --steps 3

Everything is timed in one run: each call of the engine from outside, and what it calls from inside.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from cyclegan.checkpoints.runs import Run
from cyclegan.config import build_config, preset
from cyclegan.data.domains import Domain
from cyclegan.devices import choose_device
from cyclegan.training import Plan
from cyclegan.training.build import new_session
from cyclegan.training.fabric import engine


class Stopwatch:
    """Adds up the seconds of the calls that it is put around."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same call, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


def main() -> None:
    """Print the share of a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--size", type=int)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    config = build_config(preset(options.preset), {"data": {"size": options.size}} if options.size else {})
    device, nothing = choose_device(options.device), Domain("", Path())
    plan = Plan(config, Run(Path()), nothing, nothing, device, "fp32")
    session = new_session(plan, engine(plan))
    game, outside, inside = session.game, Stopwatch(), Stopwatch()
    for name, network in session.networks.named():
        wrapped = getattr(game.networks, name)
        vars(wrapped)["forward"] = outside.around(wrapped.forward)  # what is set on it otherwise, its network gets
        network.forward = inside.around(network.forward)  # type: ignore[method-assign]
    for name, optimizer in session.optimizers.items():
        wrapped = getattr(game, name)
        wrapped.step = outside.around(wrapped.step)
        optimizer.step = inside.around(optimizer.step)  # type: ignore[method-assign]
    game.backward = outside.around(game.backward)
    torch.Tensor.backward = inside.around(torch.Tensor.backward)  # type: ignore[assignment, method-assign]
    images = torch.rand(2, 1, 3, config.data.size, config.data.size, device=device) * 2 - 1
    for step in range(options.steps + 1):
        if step == 1:  # the first warms up
            outside.seconds = inside.seconds = 0.0
            started = time.perf_counter()
        session.prepare(2e-4, 1)
        session.advance(images[0], images[1])
    whole = time.perf_counter() - started
    own = outside.seconds - inside.seconds
    print(  # noqa: T201
        f"{config.data.size} px: a step takes {1000 * whole / options.steps:.1f} ms, the engine's own calls "
        f"{1000 * own / options.steps:.2f} ms of it: {own / whole:.2%}"
    )


if __name__ == "__main__":
    main()
