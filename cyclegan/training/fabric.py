"""Lightning Fabric: puts networks on devices, runs them in a precision and on several ranks."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import distributed
from torch.optim import Optimizer

from cyclegan.config import Config
from cyclegan.devices import choose_device, uses_bf16
from cyclegan.errors import ConfigError, DeviceError
from cyclegan.training.distributed import SINGLE_PROCESS, Ranks, started_by_torchrun
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.lightning import Fabric, MixedPrecision, Precision, SLURMEnvironment
from cyclegan.training.state import Engine


def with_device_count(config: Config) -> Config:
    """Return settings with as many devices of this machine as torchrun or SLURM has started processes here.

    More devices than this machine has are an error, and so is compilation for several of them.
    """
    processes, machines = started_processes()
    if processes > 1:
        config = replace(config, machine=replace(config.machine, devices=processes // machines))
    device, wanted = choose_device(config.machine.device), config.machine.devices
    there = {"cuda": torch.cuda.device_count(), "cpu": wanted}.get(device.type, 1) if device.index is None else 1
    if there < wanted:
        raise DeviceError(
            f"--devices is {wanted}, and this machine has {there} of the kind {config.machine.device}.",
            "Ask for fewer --devices, or for another --device: auto, cuda or cpu.",
        )
    if wanted > 1 and config.machine.compile == "on":
        raise ConfigError("training on several devices cannot be compiled.", "Leave out --compile on.")
    return config


def started_processes() -> tuple[int, int]:
    """Return how many processes torchrun or SLURM has started for this training, and on how many machines."""
    if started_by_torchrun():
        processes = int(os.environ["WORLD_SIZE"])
        return processes, processes // int(os.environ["LOCAL_WORLD_SIZE"])
    if SLURMEnvironment.detect():
        return int(os.environ["SLURM_NTASKS"]), int(os.environ["SLURM_NNODES"])
    return 1, 1


def join_ranks(config: Config) -> Ranks:
    """Join the other processes that torchrun or SLURM has started for this training, if there are any."""
    processes, machines = started_processes()
    if processes == 1:
        return SINGLE_PROCESS
    device = choose_device(config.machine.device)
    precision = "bf16" if uses_bf16(config.training.precision, device) else "fp32"
    placement = {"devices": config.machine.devices, "num_nodes": machines, "strategy": "ddp"}
    fabric = fabric_on(device, precision, **placement)
    fabric.launch()
    return Ranks(fabric.global_rank, fabric.world_size, fabric, distributed.new_group(backend="gloo"))


def fabric_for(inputs: TrainInputs) -> Fabric:
    """Return Fabric on the device and in the precision of the inputs."""
    if inputs.ranks.fabric:
        joined: Fabric = inputs.ranks.fabric
        return joined
    index = inputs.device.index
    return fabric_on(inputs.device, inputs.precision, devices=1 if index is None else [index])


def fabric_on(device: torch.device, precision: str, **placement: Any) -> Fabric:
    """Return Fabric on devices of one type."""
    if precision == "bf16":
        return Fabric(accelerator=device.type, plugins=[Bfloat16(device.type)], **placement)
    return Fabric(accelerator=device.type, precision="32-true", **placement)


class Bfloat16(MixedPrecision):
    """Automatic mixed precision in bf16, with plain backward passes, as in bf16 there is nothing to scale.

    Fabric's own asks for `Fabric.backward`, which marks in a global variable that a pass is its own: the end of one
    would unmark those of other threads.
    """

    backward = Precision.backward

    def __init__(self, device_type: str) -> None:
        super().__init__("bf16-mixed", device_type)


@contextmanager
def no_sync(fabric: Fabric, engine: Engine) -> Iterator[None]:
    """Accumulate gradients on this rank; the next backward pass outside exchanges them."""
    with ExitStack() as stack:
        for network in engine.networks.children():
            wrapped: Any = network
            stack.enter_context(fabric.no_backward_sync(wrapped))
        yield


def set_up_optimizer(fabric: Fabric, optimizer: Optimizer) -> Optimizer:
    """Return the optimizer wrapped by Fabric."""
    fabric_optimizer: Any = fabric.setup_optimizers(optimizer)
    wrapped: Optimizer = fabric_optimizer
    return wrapped
