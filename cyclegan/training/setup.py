"""A session before its first step: networks, optimizers, pools and averages on their device, as fast as it allows."""

from functools import partial

import torch
from lightning_fabric import Fabric
from torch import nn

from cyclegan.config import Config
from cyclegan.devices import memory_errors, our_memory
from cyclegan.models import Networks, build_networks
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.engine import backward, played_by, unshared
from cyclegan.training.guard import Guard
from cyclegan.training.initial import begin_with
from cyclegan.training.needs import largest_that_fits
from cyclegan.training.pace import Pace, Tell, compile_networks, record_on_cuda
from cyclegan.training.plan import Plan
from cyclegan.training.pool import ImagePool
from cyclegan.training.session import Session, averaged
from cyclegan.training.step import Game
from cyclegan.training.teacher import Shown

BEYOND_POOLS = 2**32  # no pool has such a seed


def new_session(plan: Plan, fabric: Fabric) -> Session:
    """Set up the game before its first step, on the plan's device."""
    config, device = plan.config, plan.device
    half = plan.precision == "bf16"
    layout = torch.channels_last if half else torch.contiguous_format  # the faster one
    pool = partial(
        ImagePool, config.game.pool_size, device=device, layout=layout, dtype=torch.bfloat16 if half else torch.float32
    )
    networks = build_networks(config)
    begin_with(networks, plan.initial)
    for _, network in networks.named():
        network.to(device).to(memory_format=layout)
    seed = config.game.seed + 2 * plan.ranks.rank  # each rank's own; the pools need two
    torch.manual_seed(seed)  # what dropout draws from

    optimizers = {
        "optimizer_g": adam(config, device, networks.a2b, networks.b2a),
        "optimizer_d": adam(config, device, networks.disc_a, networks.disc_b),
    }
    game = Game(
        networks=Networks(**{name: fabric.setup_module(network) for name, network in networks.named()}),
        optimizer_g=played_by(fabric, optimizers["optimizer_g"]),
        optimizer_d=played_by(fabric, optimizers["optimizer_d"]),
        pool_a=pool(seed),
        pool_b=pool(seed + 1),
        weights=config.loss,
        backward=partial(backward, fabric),
        diffaugment_a=DiffAugment(config.game.diffaugment, BEYOND_POOLS + seed, device),
        diffaugment_b=DiffAugment(config.game.diffaugment, BEYOND_POOLS + seed + 1, device),
        teachers={
            way: Shown(generator.to(device).to(memory_format=layout), bf16=half)
            for way, generator in (plan.teacher.generators() if plan.teacher else {}).items()
        },
    )
    if plan.ranks.count > 1:
        game.unshared = partial(unshared, fabric, game)
    decay = config.game.averaging
    return Session(
        game=game,
        networks=networks,
        optimizers=optimizers,
        guards={name: Guard(optimizer) for name, optimizer in optimizers.items()},
        averages={"a2b": averaged(networks.a2b), "b2a": averaged(networks.b2a)} if decay > 0 else {},
        decay=decay,
        device=device,
        layout=layout,
        pull=torch.ones((), device=device),
    )


def adam(config: Config, device: torch.device, *networks: nn.Module) -> torch.optim.Adam:
    """Return the paper's optimizer for these networks, all its updates in one call where the device can."""
    settings = config.optimizer
    fused = device.type in ("cpu", "cuda")
    rate = settings.learning_rate
    return torch.optim.Adam(
        [weight for network in networks for weight in network.parameters()],
        lr=torch.tensor(rate, device=device) if fused else rate,  # a recorded step reads it where it lies
        betas=(settings.beta1, settings.beta2),
        fused=fused,
        capturable=device.type == "cuda",
    )


def quickened(session: Session, plan: Plan, fabric: Fabric, tell: Tell) -> Pace:
    """Return what plays a session's steps, as fast as the device allows.

    On a CPU compiling is not worth its time; what ranks tell each other can neither be compiled nor recorded.
    """
    config, on_cuda = plan.config, plan.device.type == "cuda" and plan.ranks.count == 1
    torch.backends.cudnn.benchmark = config.machine.compile != "off"  # all images are of one size
    if config.machine.compile == "on" or (config.machine.compile == "auto" and on_cuda):
        channels, size = (config.data.channels_a, config.data.channels_b), config.data.size
        images = [torch.zeros(config.game.batch_size, c, size, size, device=plan.device) for c in channels]
        real_a, real_b = (image.contiguous(memory_format=session.layout) for image in images)
        with memory_errors(plan.device, partial(what_fits, plan)):
            compile_networks(session, fabric.setup_module, real_a, real_b, tell)
    return Pace(session, record_on_cuda if on_cuda and config.machine.compile != "off" else None, tell)


def what_fits(plan: Plan) -> str:
    """Return what to do where the memory of the plan's device is not enough."""
    taught = sum(weight.nbytes for weight in plan.teacher.weights.values()) if plan.teacher else 0
    return largest_that_fits(plan.config, our_memory(plan.device) - taught, half=plan.precision == "bf16")
