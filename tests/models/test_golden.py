"""Our networks compute what the authors' do."""

import pytest
import torch
from torch import nn

from cyclegan.models import PatchDiscriminator, PixelDiscriminator, ResNetGenerator, UNetGenerator
from cyclegan.reference.pth import from_reference, to_reference
from tests.support.golden import golden, under

NETWORKS = {
    "generator_resnet_6blocks": lambda: ResNetGenerator(width=4, blocks=6),
    "generator_resnet_9blocks": lambda: ResNetGenerator(width=4, blocks=9),
    "generator_resnet_6blocks_batch_dropout": lambda: ResNetGenerator(width=4, blocks=6, norm="batch", dropout=True),
    "generator_unet_128": lambda: UNetGenerator(width=2, depth=7),
    "generator_unet_128_batch": lambda: UNetGenerator(width=2, depth=7, norm="batch"),
    "discriminator_patch_3": lambda: PatchDiscriminator(width=4),
    "discriminator_pixel": lambda: PixelDiscriminator(width=4),
}


@pytest.fixture(params=NETWORKS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    tensors, _ = golden(request.param)
    network = NETWORKS[request.param]().eval()
    network.load_state_dict(from_reference(network, under(tensors, "weights.")))
    return network, tensors


def test_outputs_and_input_gradients_equal_those_of_the_reference(case):
    network, tensors = case
    images = tensors["input"].requires_grad_()
    output = network(images)
    output.square().mean().backward()
    output = output.detach()
    assert relative_error(output, tensors["output"]) < 1e-5
    assert relative_error(images.grad, tensors["input_grad"]) < 1e-5


def test_reference_weights_survive_a_round_trip(case):
    network, tensors = case
    theirs, ours = under(tensors, "weights."), to_reference(network)
    assert ours.keys() == theirs.keys()
    kept = [name for name in theirs if ours[name].any() or not name.endswith("bias")]
    assert all(torch.equal(ours[name], theirs[name]) for name in kept)


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference as a share of the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()
