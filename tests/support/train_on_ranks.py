"""Train as one of several ranks, or as a single process on the batches of all; run with torchrun or with python."""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from cyclegan.checkpoints.run import Run
from cyclegan.training import join_ranks, with_device_count
from cyclegan.training.build import build_state
from cyclegan.training.step import prepare_step, train_step
from tests.support.failing_trainings import Case, inputs_of

STEPS = 10


def train_steps(folder: Path, batch_size: int, cycle_b: float) -> None:
    """Write the gradients of the first step, and the weights after the last, in float64."""
    torch.set_default_dtype(torch.float64)
    settings = {"training": {"batch_size": batch_size, "pool_size": 0}, "loss": {"cycle_b": cycle_b}}
    inputs = inputs_of(Run(folder), Case(settings=settings))
    config = with_device_count(inputs.config)
    inputs = replace(inputs, config=config, ranks=join_ranks(config))
    state, _ = build_state(inputs)
    gradients: dict[str, torch.Tensor] = {}

    def remember(*_: object) -> None:
        for name, network in state.networks.named_children():
            for key, weight in network.named_parameters():
                if weight.grad is not None:
                    gradients.setdefault(f"gradient.{name}.{key}", weight.grad.clone())

    for optimizer in (state.optimizer_g, state.optimizer_d):
        optimizer.register_step_pre_hook(remember)
    random = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        both = torch.rand(2, 2, 3, 32, 32, generator=random) * 2 - 1
        rows = slice(inputs.ranks.rank * batch_size, (inputs.ranks.rank + 1) * batch_size)
        prepare_step(state, inputs.full_learning_rate, batch_size)
        train_step(state, both[0, rows], both[1, rows])
        state.step += 1
    weights = {name: weight.clone() for name, weight in state.model_weights().items()}
    save_file(gradients | weights, folder / f"{inputs.ranks.count}-{inputs.ranks.rank}.safetensors")


if __name__ == "__main__":
    train_steps(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
