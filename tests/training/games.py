"""Small games for tests."""

import torch

from cyclegan.config import Config, LossConfig, build_config
from cyclegan.models import Networks, PatchDiscriminator, ResNetGenerator, build_networks
from cyclegan.reference.pth import from_reference
from cyclegan.training.diffaugment import DiffAugment
from cyclegan.training.pool import ImagePool
from cyclegan.training.step import LOSS_NAMES, Game, Losses, play
from tests.golden_files import golden, under

UNTAUGHT = [name for name in LOSS_NAMES if not name.startswith("imitation")]  # what is lost without a teacher
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


def game_of(
    networks: Networks, weights: LossConfig, pool_size: int = 0, augmented: bool = False, **adam: float
) -> Game:
    """Return a game with plain Adam at the paper's settings."""
    settings = {"lr": 2e-4, "betas": (0.5, 0.999)} | adam
    return Game(
        networks=networks,
        optimizer_g=torch.optim.Adam([*networks.a2b.parameters(), *networks.b2a.parameters()], **settings),
        optimizer_d=torch.optim.Adam([*networks.disc_a.parameters(), *networks.disc_b.parameters()], **settings),
        pool_a=ImagePool(pool_size, seed=1),
        pool_b=ImagePool(pool_size, seed=2),
        weights=weights,
        backward=torch.Tensor.backward,
        diffaugment_a=DiffAugment(augmented, seed=3),
        diffaugment_b=DiffAugment(augmented, seed=4),
    )


def play_drawn(game: Game, real_a: torch.Tensor, real_b: torch.Tensor) -> Losses:
    """Play one step, its random choices included."""
    game.draw(len(real_a))
    return play(game, real_a, real_b)


def tiny_config(*layers: dict) -> Config:
    """Return the settings of a game small enough for a test."""
    return build_config(TINY, *layers)


def tiny_game(seed: int = 0, dtype: torch.dtype = torch.float32, **settings) -> Game:
    """Return a tiny game in a given precision."""
    config = tiny_config({"game": {"seed": seed}})
    networks = build_networks(config)
    for _, network in networks.named():
        network.to(dtype)
    return game_of(networks, LossConfig(**settings.pop("weights", {})), **settings)


def golden_game(name: str) -> tuple[Game, dict[str, torch.Tensor], dict[str, str]]:
    """Return the reference's game before its first step, with what it recorded."""
    tensors, settings = golden(name)
    networks = Networks(
        a2b=ResNetGenerator(width=4, blocks=6),
        b2a=ResNetGenerator(width=4, blocks=6),
        disc_a=PatchDiscriminator(width=4),
        disc_b=PatchDiscriminator(width=4),
    )
    for ours, network in networks.named():
        network.load_state_dict(from_reference(network, under(tensors, f"initial.{THEIRS[ours]}.")))
    weights = LossConfig(
        cycle_a=float(settings["lambda_A"]),
        cycle_b=float(settings["lambda_B"]),
        identity=float(settings["lambda_identity"]),
        adversarial=settings["gan_mode"],
    )
    return game_of(networks, weights), tensors, settings
