"""The four networks of a CycleGAN, and how they are built from settings."""

from cyclegan.models.discriminators import PatchDiscriminator, PixelDiscriminator, discriminator_input
from cyclegan.models.networks import (
    Discriminator,
    Generator,
    NetworkConfig,
    Networks,
    build_discriminator,
    build_generator,
    build_networks,
    load_weights,
    meta_module,
    multiply_adds,
)
from cyclegan.models.resnet import ResNetGenerator
from cyclegan.models.unet import UNetGenerator

__all__ = [
    "Discriminator",
    "Generator",
    "NetworkConfig",
    "Networks",
    "PatchDiscriminator",
    "PixelDiscriminator",
    "ResNetGenerator",
    "UNetGenerator",
    "build_discriminator",
    "build_generator",
    "build_networks",
    "discriminator_input",
    "load_weights",
    "meta_module",
    "multiply_adds",
]
