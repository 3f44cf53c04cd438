"""Small trainings for tests."""

import torch
from torch import nn

from cyclegan.config import Config, LossConfig, build_config
from cyclegan.losses import LOSS_NAMES
from cyclegan.models import Networks, PatchDiscriminator, ResNetGenerator, build_networks
from cyclegan.reference.pth import from_reference
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.nonfinite import NonFiniteFilter
from cyclegan.training.pool import ImagePool
from cyclegan.training.state import Engine, TrainState
from cyclegan.training.step import Losses, prepare_step, train_step
from tests.support.golden import golden, under

UNPAIRED_LOSSES = [name for name in LOSS_NAMES if not name.startswith("paired")]
LOSSES_WITHOUT_TEACHER = [name for name in UNPAIRED_LOSSES if not name.startswith("distill")]
TINY = {
    "data": {"size": 32},
    "generator": {"width": 4, "blocks": 1},
    "discriminator": {"width": 4, "layers": 2},
}
THEIRS = {"a2b": "G_A", "b2a": "G_B", "disc_a": "D_B", "disc_b": "D_A"}  # our network -> the reference's
THEIR_LOSSES = {
    "G_A": "gan_a2b",
    "G_B": "gan_b2a",
    "cycle_A": "cycle_a",
    "cycle_B": "cycle_b",
    "idt_A": "identity_b",
    "idt_B": "identity_a",
    "D_A": "disc_b",
    "D_B": "disc_a",
}


def state_of(networks: Networks, loss: LossConfig, pool_size: int = 0, augmented: bool = False, **adam) -> TrainState:
    """Return a state with plain Adam at the paper's settings, and no EMA."""
    settings = {"lr": 2e-4, "betas": (0.5, 0.999)} | adam
    optimizer_g = torch.optim.Adam([*networks.a2b.parameters(), *networks.b2a.parameters()], **settings)
    optimizer_d = torch.optim.Adam([*networks.disc_a.parameters(), *networks.disc_b.parameters()], **settings)
    return TrainState(
        networks=networks,
        optimizer_g=optimizer_g,
        optimizer_d=optimizer_d,
        filter_g=NonFiniteFilter(optimizer_g),
        filter_d=NonFiniteFilter(optimizer_d),
        ema=nn.ModuleDict(),
        ema_decay=0.0,
        pool_a=ImagePool(pool_size, seed=1),
        pool_b=ImagePool(pool_size, seed=2),
        diffaugment_a=DiffAugment(augmented, seed=3),
        diffaugment_b=DiffAugment(augmented, seed=4),
        loss_config=loss,
        engine=Engine(networks, optimizer_g, optimizer_d),
    )


def run_step(state: TrainState, real_a: torch.Tensor, real_b: torch.Tensor) -> Losses:
    """Prepare and do one step; return its losses."""
    prepare_step(state, learning_rate_of(state), len(real_a))
    numbers = train_step(state, real_a, real_b)
    return {name: loss for name, loss in numbers.items() if name in LOSS_NAMES}


def learning_rate_of(state: TrainState) -> float:
    """Return the learning rate that the state has."""
    return float(state.optimizer_g.param_groups[0]["lr"])


def tiny_config(*layers: dict) -> Config:
    """Return the settings of a training small enough for a test."""
    return build_config(TINY, *layers)


def tiny_state(seed: int = 0, dtype: torch.dtype = torch.float32, **settings) -> TrainState:
    """Return a tiny state in a given precision."""
    conditional = settings.pop("conditional", False)
    config = tiny_config(
        {"training": {"seed": seed}, "data": {"paired": conditional}, "discriminator": {"conditional": conditional}}
    )
    networks = build_networks(config)
    networks.to(dtype)
    state = state_of(networks, LossConfig(**settings.pop("weights", {})), **settings)
    state.conditional = conditional
    return state


def golden_state(name: str) -> tuple[TrainState, dict[str, torch.Tensor], dict[str, str]]:
    """Return the reference's state before its first step, with its recorded numbers."""
    tensors, settings = golden(name)
    networks = Networks(
        a2b=ResNetGenerator(width=4, blocks=6),
        b2a=ResNetGenerator(width=4, blocks=6),
        disc_a=PatchDiscriminator(width=4),
        disc_b=PatchDiscriminator(width=4),
    )
    for ours, network in networks.named_children():
        network.load_state_dict(from_reference(network, under(tensors, f"initial.{THEIRS[ours]}.")))
    weights = LossConfig(
        cycle_a=float(settings["lambda_A"]),
        cycle_b=float(settings["lambda_B"]),
        identity=float(settings["lambda_identity"]),
        adversarial=settings["gan_mode"],
    )
    return state_of(networks, weights), tensors, settings
