"""The engine, Lightning Fabric: places networks on devices, runs them in the precision asked for, takes the gradients.

`training.setup` gives it networks and optimizers; nothing else in the package knows it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from torch import Tensor, distributed
from torch.optim import Optimizer

from cyclegan.config import Config
from cyclegan.devices import choose_device, uses_bf16
from cyclegan.errors import ConfigError, DeviceError
from cyclegan.training.plan import Plan
from cyclegan.training.ranks import ALONE, Ranks, started_by_torchrun
from cyclegan.training.step import Game

BACKWARD = threading.Lock()


def on_devices(config: Config) -> Config:
    """Return settings with as many devices of this machine as torchrun or SLURM has started processes here.

    More devices than there are is an error, and so is to compile what several of them play.
    """
    processes, machines = started_processes()
    if processes > 1:
        config = replace(config, machine=replace(config.machine, devices=processes // machines))
    device, wanted = choose_device(config.machine.device), config.machine.devices
    there = {"cuda": torch.cuda.device_count(), "cpu": wanted}.get(device.type, 1) if device.index is None else 1
    if there < wanted:
        raise DeviceError(
            f"{wanted} devices are asked for, and there is {there} that {config.machine.device} stands for.",
            "Ask for fewer --devices, or for another --device: auto, cuda or cpu.",
        )
    if wanted > 1 and config.machine.compile == "on":
        raise ConfigError("what several devices tell each other cannot be compiled.", "Leave out --compile on.")
    return config


def started_processes() -> tuple[int, int]:
    """Return how many processes torchrun or SLURM has started for this training, and on how many machines."""
    if started_by_torchrun():
        processes = int(os.environ["WORLD_SIZE"])
        return processes, processes // int(os.environ["LOCAL_WORLD_SIZE"])
    if SLURMEnvironment.detect():
        return int(os.environ["SLURM_NTASKS"]), int(os.environ["SLURM_NNODES"])
    return 1, 1


def joined(config: Config) -> Ranks:
    """Join the other processes that torchrun or SLURM has started for this training, where there are any."""
    processes, machines = started_processes()
    if processes == 1:
        return ALONE
    device = choose_device(config.machine.device)
    precision = "bf16" if uses_bf16(config.game.precision, device) else "fp32"
    placement = {"devices": config.machine.devices, "num_nodes": machines, "strategy": "ddp"}
    fabric = fabric_of(device, precision, **placement)
    fabric.launch()
    return Ranks(fabric.global_rank, fabric.world_size, fabric, distributed.new_group(backend="gloo"))


def engine(plan: Plan) -> Fabric:
    """Return Fabric on the plan's device and precision."""
    if plan.ranks.engine:
        together: Fabric = plan.ranks.engine
        return together
    index = plan.device.index
    return fabric_of(plan.device, plan.precision, devices=1 if index is None else [index])


def fabric_of(device: torch.device, precision: str, **placement: Any) -> Fabric:
    """Return Fabric on devices of one type."""
    return Fabric(accelerator=device.type, precision="bf16-mixed" if precision == "bf16" else "32-true", **placement)


@contextmanager
def unshared(fabric: Fabric, game: Game) -> Iterator[None]:
    """Keep the gradients of a game's networks with this rank, until others are added to them."""
    with ExitStack() as stack:
        for _, network in game.networks.named():
            wrapped: Any = network
            stack.enter_context(fabric.no_backward_sync(wrapped))
        yield


def backward(fabric: Fabric, loss: Tensor) -> None:
    """Take the gradients of a loss, one training of this process at a time.

    Fabric marks in a global variable that a backward pass is its own; another thread's end of one would unmark it.
    """
    with BACKWARD:
        fabric.backward(loss)


def played_by(fabric: Fabric, optimizer: Optimizer) -> Optimizer:
    """Return the optimizer as the engine steps it."""
    wrapped: Any = fabric.setup_optimizers(optimizer)
    steps: Optimizer = wrapped
    return steps
