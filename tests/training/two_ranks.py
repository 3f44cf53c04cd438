"""Play a game as one of several ranks, or alone on the batches of all; run under torchrun, or by itself."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from cyclegan.checkpoints.runs import Run
from cyclegan.training import joined, on_devices
from cyclegan.training.build import new_session
from cyclegan.training.fabric import engine
from tests.training.sick_games import Game, plan_of

STEPS = 10


def play_game(folder: Path, batch_size: int) -> None:
    """Write the gradients of the first step, and the weights after the last, in float64."""
    torch.set_default_dtype(torch.float64)
    plan = plan_of(Run(folder), Game(settings={"game": {"batch_size": batch_size, "pool_size": 0}}))
    config = on_devices(plan.config)
    plan = replace(plan, config=config, ranks=joined(config))
    session = new_session(plan, engine(plan))
    gradients: dict[str, torch.Tensor] = {}

    def remember(*_: object) -> None:
        for name, network in session.networks.named():
            for key, weight in network.named_parameters():
                if weight.grad is not None:
                    gradients.setdefault(f"gradient.{name}.{key}", weight.grad.clone())

    for optimizer in session.optimizers.values():
        optimizer.register_step_pre_hook(remember)
    random = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        both = torch.rand(2, 2, 3, 32, 32, generator=random) * 2 - 1
        mine = slice(plan.ranks.rank * batch_size, (plan.ranks.rank + 1) * batch_size)
        session.prepare(plan.full_learning_rate, batch_size)
        session.advance(both[0, mine], both[1, mine])
        session.step += 1
    weights = {name: weight.clone() for name, weight in session.weights().items()}
    save_file(gradients | weights, folder / f"{plan.ranks.count}-{plan.ranks.rank}.safetensors")


if __name__ == "__main__":
    play_game(Path(sys.argv[1]), int(sys.argv[2]))
