"""One table of architectures, and the four networks of a training built from it."""

from collections.abc import Callable, Mapping, Sequence
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

Generator = ResNetGenerator | UNetGenerator
Discriminator = PatchDiscriminator | PixelDiscriminator
Network = TypeVar("Network", bound=Generator | Discriminator)
NetworkConfig = GeneratorConfig | DiscriminatorConfig

# By the name of the architecture in settings and model files: how a generator is built from resolved settings and the
# channels of its input and output, and a discriminator from its settings and channels.
GENERATORS: Mapping[str, Callable[[GeneratorConfig, int, int], Generator]] = {
    "resnet": lambda config, in_channels, out_channels: ResNetGenerator(
        in_channels,
        out_channels,
        width=config.width,
        blocks=int(config.blocks),
        norm=config.norm,
        dropout=config.dropout,
    ),
    "unet": lambda config, in_channels, out_channels: UNetGenerator(
        in_channels,
        out_channels,
        width=config.width,
        depth=int(config.depth),
        norm=config.norm,
        dropout=config.dropout,
    ),
}
DISCRIMINATORS: Mapping[str, Callable[[DiscriminatorConfig, int], Discriminator]] = {
    "patch": lambda config, channels: PatchDiscriminator(
        channels, width=config.width, layers=config.layers, norm=config.norm
    ),
    "pixel": lambda config, channels: PixelDiscriminator(channels, width=config.width, norm=config.norm),
}


class Networks(nn.Module):
    """The four networks of a CycleGAN, as named children: `state_dict()` names every weight."""

    def __init__(self, a2b: nn.Module, b2a: nn.Module, disc_a: nn.Module, disc_b: nn.Module) -> None:
        super().__init__()
        self.a2b = a2b
        self.b2a = b2a
        self.disc_a = disc_a  # tells real images of A from fakes
        self.disc_b = disc_b


def build_generator(config: GeneratorConfig, in_channels: int = 3, out_channels: int = 3) -> Generator:
    """Build a generator from resolved settings, its weights not yet initialised."""
    return GENERATORS[config.architecture](config, in_channels, out_channels)


def build_discriminator(config: DiscriminatorConfig, channels: int = 3) -> Discriminator:
    """Build a discriminator, its weights not yet initialised."""
    return DISCRIMINATORS[config.architecture](config, channels)


def build_networks(config: Config) -> Networks:
    """Build the four networks; their first weights depend on the seed alone."""
    a, b = config.data.channels_a, config.data.channels_b
    generator = config.resolved_generator
    networks = Networks(
        a2b=build_generator(generator, a, b),
        b2a=build_generator(generator, b, a),
        disc_a=build_discriminator(config.discriminator, config.discriminator.input_channels(a, source=b)),
        disc_b=build_discriminator(config.discriminator, config.discriminator.input_channels(b, source=a)),
    )
    for network in (networks.a2b, networks.b2a):
        if isinstance(network, ResNetGenerator):
            network.activation_checkpointing = config.machine.activation_checkpointing
    random = torch.Generator().manual_seed(config.training.seed)
    for network in networks.children():
        initialize(network, gain=config.training.init_gain, random=random)
    return networks


@overload
def meta_module(config: GeneratorConfig, channels: Sequence[int]) -> Generator: ...
@overload
def meta_module(config: DiscriminatorConfig, channels: Sequence[int]) -> Discriminator: ...


def meta_module(config: NetworkConfig, channels: Sequence[int]) -> Generator | Discriminator:
    """Build a network on the meta device: names and shapes alone, so that no model file can claim memory.

    `channels` are those of the input and, for a generator, of the output.
    """
    with torch.device("meta"):
        if isinstance(config, GeneratorConfig):
            return build_generator(config, *channels)
        return build_discriminator(config, *channels)


def load_weights(network: Network, weights: Mapping[str, Tensor]) -> Network:
    """Load weights into a meta module, for inference in fp32; raise `ModelFileError` if they do not fit."""
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ModelFileError("the model does not hold the networks that it describes.", "Use another file.") from error
    network.float().eval().requires_grad_(False)
    return network


def multiply_adds(config: GeneratorConfig, channels: Sequence[int], size: int) -> int:
    """Count the multiply-adds with which a generator translates a square of `size` pixels."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        meta_module(config, channels)(torch.zeros(1, channels[0], size, size))
    operations: int = counter.get_total_flops()
    return operations // 2
