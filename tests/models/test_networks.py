"""The networks are those of the paper."""

import pytest
import torch

from cyclegan.config import GeneratorConfig, build_config
from cyclegan.models import (
    PatchDiscriminator,
    PixelDiscriminator,
    ResNetGenerator,
    UNetGenerator,
    build_networks,
    meta_module,
    multiply_adds,
)
from tests.support.states import tiny_config


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_receptive_fields_are_those_of_the_paper(layers: int, pixels: int):
    network = PatchDiscriminator(width=2, layers=layers).eval()
    for module in network.modules():  # norms look at the whole picture; only the convolutions' reach is asked for
        if type(module).__name__ == "InstanceNorm":
            module.forward = lambda x: x
    image = torch.zeros(1, 3, 256, 256, requires_grad=True)
    scores = network(image)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    seen = image.grad.abs().sum(dim=(0, 1)).sum(dim=0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == pixels


def test_pixel_discriminator_scores_depend_on_single_pixels():
    network = PixelDiscriminator(width=4)
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(network(image).flip(-1), network(image.flip(-1)))


def test_the_networks_have_as_many_weights_as_the_reference():
    def count(network):
        return sum(weight.numel() for weight in network.parameters())

    biases_before_norms = 64 + 128 + 256 + 18 * 256 + 128 + 64
    assert count(ResNetGenerator()) + biases_before_norms == 11_378_179
    assert count(PatchDiscriminator()) + 128 + 256 + 512 == 2_764_737


def test_a_quarter_of_the_width_has_a_fifteenth_of_the_cost():
    wide, narrow = (GeneratorConfig(width=width, blocks=9) for width in (64, 16))
    areas = [(256 // scale) ** 2 for scale in (1, 2, 4)]
    by_hand = [
        2 * 49 * 3 * width * areas[0]  # c7s1, at both ends
        + 2 * 9 * (2 * width**2 * areas[1] + 8 * width**2 * areas[2])  # d, and u, which is as much work
        + 18 * 9 * (4 * width) ** 2 * areas[2]  # R
        for width in (64, 16)
    ]
    assert [multiply_adds(spec, (3, 3), 256) for spec in (wide, narrow)] == by_hand
    assert by_hand[0] > 14 * by_hand[1]
    assert 2 * 2 * sum(weight.numel() for weight in meta_module(narrow, (3, 3)).parameters()) < 3_000_000


def test_initial_weights_are_normal_and_depend_on_the_seed():
    one, same, other = (build_networks(build_config({"training": {"seed": seed}})) for seed in (1, 1, 2))
    weight = one.a2b.body[10].body[1].weight.detach()
    assert abs(float(weight.mean())) < 1e-4
    assert float(weight.std()) == pytest.approx(0.02, rel=0.01)
    assert torch.equal(weight, same.a2b.body[10].body[1].weight)
    assert not torch.equal(weight, other.a2b.body[10].body[1].weight)
    assert not torch.equal(weight, one.b2a.body[10].body[1].weight)
    assert all(not bias.any() for name, bias in one.disc_a.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("architecture", ["resnet", "unet"])
def test_generators_return_images_of_the_input_size(architecture: str):
    networks = build_networks(tiny_config({"generator": {"architecture": architecture}}))
    assert networks.a2b(torch.zeros(2, 3, 32, 64)).shape == (2, 3, 32, 64)


def test_dropout_is_where_the_reference_has_it():
    network = UNetGenerator(width=1, depth=8, dropout=True)
    with_dropout = [
        level for level, part in enumerate(network.up) if any(isinstance(m, torch.nn.Dropout) for m in part)
    ]
    assert with_dropout == [4, 5, 6]
