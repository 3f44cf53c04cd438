"""The reference's weights, in and out: pure functions from one set of names to the other.

The reference is the CycleGAN authors' PyTorch code, junyanz/pytorch-CycleGAN-and-pix2pix, whose published `.pth` files
hold one network each, with these names.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cyclegan.errors import ModelFileError
from cyclegan.models import PixelDiscriminator, UNetGenerator

Weights = dict[str, Tensor]


def from_reference(network: nn.Module, weights: Mapping[str, Tensor]) -> Weights:
    """Rename the reference's weights for `network`.

    Biases that an instance norm takes away again are left out; anything else that is missing or left over is an error.
    """
    names = {reference_name(network, ours): ours for ours in network.state_dict()}
    cancelled = {_bias_beside(name) for name in names} - names.keys()
    missing, unknown = names.keys() - weights.keys(), weights.keys() - names.keys() - cancelled
    if missing or unknown:
        raise ModelFileError(
            f"these weights are of another network: {len(missing)} missing, {len(unknown)} unknown, "
            f"such as {min(missing | unknown)}.",
            "Check architecture, width, number of blocks and norm.",
        )
    return {ours: weights[theirs] for theirs, ours in names.items()}


def to_reference(network: nn.Module) -> Weights:
    """Return the network's weights under the reference's names, with zeros for the biases that only it keeps."""
    weights = {reference_name(network, ours): tensor for ours, tensor in network.state_dict().items()}
    for name, module in network.named_modules():
        convolution = isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        if convolution and module.bias is None and not _has_batch_norm(network):
            weights[reference_name(network, f"{name}.bias")] = torch.zeros(module.out_channels)
    return weights


def reference_name(network: nn.Module, name: str) -> str:
    """Return what the reference calls the weight that `network` calls `name`."""
    if isinstance(network, UNetGenerator):
        side, level, place, kind = name.split(".")
        return f"{_unet_path(int(level))}.{int(place) + _unet_offset(side, int(level), len(network.down))}.{kind}"
    if isinstance(network, PixelDiscriminator):
        return name.replace("body.", "net.", 1)
    return name.replace("body.", "model.", 1).replace(".body.", ".conv_block.")


def _unet_path(level: int) -> str:
    """Return where a level stands: the reference nests its U-Net, each level inside the one before."""
    return "model.model" if level == 0 else "model.model.1.model" + ".3.model" * (level - 1)


def _unet_offset(side: str, level: int, depth: int) -> int:
    """Return where the way up begins within a level: after what goes down and, but for the waist, the next level."""
    if side == "down":
        return 0
    return 2 if level in (0, depth - 1) else 4


def _bias_beside(name: str) -> str:
    return name.removesuffix(".weight") + ".bias"


def _has_batch_norm(network: nn.Module) -> bool:
    return any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
