"""Weights as the reference and its forks leave them, for tests."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cyclegan.models import PatchDiscriminator, ResNetGenerator
from cyclegan.models.init import initialize
from cyclegan.reference.pth import to_reference
from tests.support.golden import golden, under

GENERATORS = (
    "generator_resnet_6blocks",
    "generator_resnet_9blocks",
    "generator_resnet_6blocks_batch_dropout",
    "generator_unet_128",
    "generator_unet_128_batch",
)
DISCRIMINATORS = ("discriminator_patch_3", "discriminator_pixel")
BLOCK = "model.model.1.model"  # of the U-Net's second level; the deeper ones nest
INSTANCE_NORMS = {  # where the reference has them, counted by hand
    "generator_resnet_6blocks": [
        *(f"model.{place}" for place in (2, 5, 8, 17, 20)),
        *(f"model.{block}.conv_block.{place}" for block in range(10, 16) for place in (2, 6)),
    ],
    "generator_resnet_9blocks": [
        *(f"model.{place}" for place in (2, 5, 8, 20, 23)),
        *(f"model.{block}.conv_block.{place}" for block in range(10, 19) for place in (2, 6)),
    ],
    "generator_unet_128": [
        *(f"{BLOCK}{'.3.model' * level}.{place}" for level in range(5) for place in (2, 6)),
        f"{BLOCK}{'.3.model' * 5}.4",
    ],
    "discriminator_patch_3": ["model.3", "model.6", "model.9"],
    "discriminator_pixel": ["net.3"],
}


def golden_weights(name: str) -> dict[str, Tensor]:
    """Return the weights of one of the reference's networks."""
    return under(golden(name)[0], "weights.")


def drawn(network: nn.Module, seed: int = 0) -> nn.Module:
    """Return the network with weights that change a picture visibly."""
    initialize(network, gain=0.2, random=torch.Generator().manual_seed(seed))
    return network.eval().requires_grad_(False)


def small_generator(seed: int = 0, *channels: int, **settings) -> ResNetGenerator:
    """Return a small generator."""
    return drawn(ResNetGenerator(*channels, **{"width": 4, "blocks": 1} | settings), seed)


def wrapped(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return weights as a wrapper of the network names them."""
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


def with_old_statistics(name: str) -> dict[str, Tensor]:
    """Return golden weights with what instance norms kept before torch 0.4: statistics that were never used."""
    old = {}
    for norm in INSTANCE_NORMS.get(name, []):
        kept = {"running_mean": torch.full((9,), 7.0), "running_var": torch.full((9,), 7.0)}
        old |= wrapped(kept | {"num_batches_tracked": torch.tensor(7)}, f"{norm}.")
    return golden_weights(name) | old


def save_networks(folder: Path, epoch: str = "latest", a: int = 3, b: int = 3, **settings) -> dict[str, nn.Module]:
    """Write the four files of a training as the reference does, and return the networks under its names.

    `a` and `b` are the channels of the domains; their D_A scores images of B.
    """
    networks = {
        "G_A": small_generator(1, a, b, **settings),
        "G_B": small_generator(2, b, a, **settings),
        "D_A": drawn(PatchDiscriminator(b, width=4, layers=2), 3),
        "D_B": drawn(PatchDiscriminator(a, width=4, layers=2), 4),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        torch.save(to_reference(network), folder / f"{epoch}_net_{name}.pth")
    return networks
