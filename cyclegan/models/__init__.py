"""The four networks of a CycleGAN, and how they are built from settings."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, overload

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cyclegan.config import Config, DiscriminatorConfig, GeneratorConfig
from cyclegan.errors import ModelFileError
from cyclegan.models.discriminators import PatchDiscriminator, PixelDiscriminator
from cyclegan.models.init import initialize
from cyclegan.models.resnet import ResNetGenerator
from cyclegan.models.unet import UNetGenerator

__all__ = [
    "Networks",
    "PatchDiscriminator",
    "PixelDiscriminator",
    "ResNetGenerator",
    "UNetGenerator",
    "build_discriminator",
    "build_generator",
    "build_networks",
    "filled",
    "multiply_adds",
    "resolved",
    "skeleton",
]


Generator = ResNetGenerator | UNetGenerator
Discriminator = PatchDiscriminator | PixelDiscriminator
Network = TypeVar("Network", bound=Generator | Discriminator)
Blueprint = GeneratorConfig | DiscriminatorConfig


class Networks(nn.Module):
    """The four networks of a CycleGAN, as named children: `state_dict()` names every weight."""

    def __init__(self, a2b: nn.Module, b2a: nn.Module, disc_a: nn.Module, disc_b: nn.Module) -> None:
        super().__init__()
        self.a2b = a2b
        self.b2a = b2a
        self.disc_a = disc_a  # tells real images of A from fakes
        self.disc_b = disc_b


def resolved(config: Config) -> GeneratorConfig:
    """Return the generator's settings with every size that depends on the picture's written out."""
    spec = config.generator
    return GeneratorConfig(
        architecture=spec.architecture,
        width=spec.width,
        blocks=config.resnet_blocks if spec.architecture == "resnet" else 0,
        depth=config.unet_depth if spec.architecture == "unet" else 0,
        norm=spec.norm,
        dropout=spec.dropout,
    )


def build_generator(spec: GeneratorConfig, channels_in: int = 3, channels_out: int = 3) -> Generator:
    """Build a generator from resolved settings, its weights not yet drawn."""
    if spec.architecture == "unet":
        return UNetGenerator(
            channels_in, channels_out, width=spec.width, depth=spec.depth, norm=spec.norm, dropout=spec.dropout
        )
    return ResNetGenerator(
        channels_in, channels_out, width=spec.width, blocks=spec.blocks, norm=spec.norm, dropout=spec.dropout
    )


def build_discriminator(spec: DiscriminatorConfig, channels: int = 3) -> Discriminator:
    """Build a discriminator, its weights not yet drawn."""
    if spec.architecture == "pixel":
        return PixelDiscriminator(channels, width=spec.width, norm=spec.norm)
    return PatchDiscriminator(channels, width=spec.width, layers=spec.layers, norm=spec.norm)


@overload
def skeleton(spec: GeneratorConfig, channels: Sequence[int]) -> Generator: ...
@overload
def skeleton(spec: DiscriminatorConfig, channels: Sequence[int]) -> Discriminator: ...


def skeleton(spec: Blueprint, channels: Sequence[int]) -> Generator | Discriminator:
    """Build a network without memory for its weights: names and shapes alone, however vast a file claims it to be.

    `channels` are those of what it takes and, if it is a generator, of what it gives.
    """
    with torch.device("meta"):
        if isinstance(spec, GeneratorConfig):
            return build_generator(spec, *channels)
        return build_discriminator(spec, *channels)


def filled(network: Network, weights: Mapping[str, Tensor]) -> Network:
    """Give a skeleton its weights, in fp32 whatever they are kept in; nobody trains it."""
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ModelFileError("the model does not hold the networks that it describes.", "Use another file.") from error
    network.float().eval().requires_grad_(False)
    return network


def multiply_adds(spec: GeneratorConfig, channels: Sequence[int], size: int) -> int:
    """Count the multiplications, each with its addition, with which a generator redraws a square of so many pixels."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        skeleton(spec, channels)(torch.zeros(1, channels[0], size, size))
    operations: int = counter.get_total_flops()
    return operations // 2


def build_networks(config: Config) -> Networks:
    """Build the four networks with first weights that follow from the seed alone."""
    a, b = config.data.channels_a, config.data.channels_b
    generator = resolved(config)
    networks = Networks(
        a2b=build_generator(generator, a, b),
        b2a=build_generator(generator, b, a),
        disc_a=build_discriminator(config.discriminator, a),
        disc_b=build_discriminator(config.discriminator, b),
    )
    for redraws in (networks.a2b, networks.b2a):
        if isinstance(redraws, ResNetGenerator):
            redraws.activation_checkpointing = config.machine.activation_checkpointing
    random = torch.Generator().manual_seed(config.training.seed)
    for _, network in networks.named_children():
        initialize(network, gain=config.training.init_gain, random=random)
    return networks
