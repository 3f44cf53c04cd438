"""The state of a training before its first step: networks, optimizers, pools and averages on their device."""

from functools import partial

import torch
from torch import nn

from cyclegan.config import Config
from cyclegan.models import Networks, build_networks
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.distillation import TeacherModule
from cyclegan.training.ema import ema_copy
from cyclegan.training.fabric import fabric_for, no_sync, set_up_optimizer
from cyclegan.training.initial_weights import load_initial_weights
from cyclegan.training.inputs import TrainInputs
from cyclegan.training.lightning import Fabric
from cyclegan.training.nonfinite import NonFiniteFilter
from cyclegan.training.pool import ImagePool
from cyclegan.training.state import Engine, TrainState
from cyclegan.training.two_threads import SingleThread, TwoThreads

DIFFAUGMENT_SEEDS = 2**32  # added to the seed: beyond every seed of a pool
TRAINING_MEMORY_HINT = (
    "Try a smaller --batch-size, a smaller --size, --set machine.activation_checkpointing=true, "
    "or a smaller generator.width."
)


def build_state(inputs: TrainInputs) -> tuple[TrainState, Fabric]:
    """Build the state before the first step, on the device of the inputs."""
    config, device, bf16 = inputs.config, inputs.device, inputs.precision == "bf16"
    # In bf16 convolutions are faster with channels last, in fp32 with channels first.
    memory_format = torch.channels_last if bf16 else torch.contiguous_format
    networks = build_networks(config)
    load_initial_weights(networks, inputs.initial_weights)
    networks.to(device).to(memory_format=memory_format)

    seed = config.training.seed + 2 * inputs.ranks.rank  # each rank's own; the pools need two
    torch.manual_seed(seed)  # dropout draws from it
    pool = partial(
        ImagePool,
        config.training.pool_size,
        device=device,
        memory_format=memory_format,
        dtype=torch.bfloat16 if bf16 else torch.float32,
    )
    optimizer_g = adam(config, device, networks.a2b, networks.b2a)
    optimizer_d = adam(config, device, networks.disc_a, networks.disc_b)
    fabric = fabric_for(inputs)
    ema_decay = config.training.ema_decay
    state = TrainState(
        networks=networks,
        optimizer_g=optimizer_g,
        optimizer_d=optimizer_d,
        filter_g=NonFiniteFilter(optimizer_g),
        filter_d=NonFiniteFilter(optimizer_d),
        ema=nn.ModuleDict({"a2b": ema_copy(networks.a2b), "b2a": ema_copy(networks.b2a)} if ema_decay > 0 else {}),
        ema_decay=ema_decay,
        pool_a=pool(seed),
        pool_b=pool(seed + 1),
        diffaugment_a=DiffAugment(config.training.diffaugment, DIFFAUGMENT_SEEDS + seed, device),
        diffaugment_b=DiffAugment(config.training.diffaugment, DIFFAUGMENT_SEEDS + seed + 1, device),
        loss_config=config.loss,
        engine=build_engine(inputs, fabric, networks, (optimizer_g, optimizer_d), memory_format),
        device=device,
        memory_format=memory_format,
        ema_weight=torch.ones((), device=device),
        conditional=config.discriminator.conditional,
        is_pair=torch.zeros(config.training.batch_size, device=device) if config.data.paired else None,
        discriminator_warmup=inputs.discriminator_warmup,
        plan=inputs.plan,
    )
    return state, fabric


def build_engine(
    inputs: TrainInputs,
    fabric: Fabric,
    networks: Networks,
    optimizers: tuple[torch.optim.Adam, torch.optim.Adam],
    memory_format: torch.memory_format,
) -> Engine:
    """Wrap networks and optimizers (of the generators, of the discriminators) for the device, and add the teacher."""
    teachers = inputs.teacher.generators() if inputs.teacher else {}
    engine = Engine(
        # Each network is set up by itself: a step uses them one at a time.
        networks=Networks(**{name: fabric.setup_module(network) for name, network in networks.named_children()}),
        optimizer_g=set_up_optimizer(fabric, optimizers[0]),
        optimizer_d=set_up_optimizer(fabric, optimizers[1]),
        threads=TwoThreads() if halves_run_at_once(inputs) else SingleThread(),
        teachers={
            direction: TeacherModule(
                generator.to(inputs.device).to(memory_format=memory_format), bf16=inputs.precision == "bf16"
            )
            for direction, generator in teachers.items()
        },
    )
    if inputs.ranks.count > 1:
        engine.no_sync = partial(no_sync, fabric, engine)
    return engine


def halves_run_at_once(inputs: TrainInputs) -> bool:
    """Tell whether the two halves of a step run in one thread each.

    Dropout draws from torch's random numbers, whose order two threads would change.
    """
    machine = inputs.config.machine
    possible = inputs.device.type == "cpu" and inputs.ranks.count == 1 and torch.get_num_threads() > 1
    return possible and machine.two_threads and machine.compile != "on" and not inputs.config.generator.dropout


def adam(config: Config, device: torch.device, *networks: nn.Module) -> torch.optim.Adam:
    """Return the paper's optimizer for these networks, fused where the device can."""
    settings = config.optimizer
    fused = device.type in ("cpu", "cuda")
    rate = settings.learning_rate
    return torch.optim.Adam(
        [weight for network in networks for weight in network.parameters()],
        lr=torch.tensor(rate, device=device) if fused else rate,  # a CUDA graph reads it from its tensor
        betas=(settings.beta1, settings.beta2),
        fused=fused,
        capturable=device.type == "cuda",
    )
