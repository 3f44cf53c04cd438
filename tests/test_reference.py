"""What a network is follows from the names and shapes of its weights; other weights are an error."""

import pytest
import torch
from torch import nn

from cyclegan.config import DiscriminatorConfig, GeneratorConfig
from cyclegan.errors import ModelFileError
from cyclegan.models import PatchDiscriminator, PixelDiscriminator, ResNetGenerator, UNetGenerator, meta_module
from cyclegan.reference.pth import extract_weights, from_reference, infer_channels, infer_config, to_reference
from tests.pth_files import DISCRIMINATORS, GENERATORS, golden_weights, small_generator, with_old_statistics, wrapped

EXPECTED_CONFIGS = {
    "generator_resnet_6blocks": GeneratorConfig(width=4, blocks=6),
    "generator_resnet_9blocks": GeneratorConfig(width=4, blocks=9),
    "generator_resnet_6blocks_batch_dropout": GeneratorConfig(width=4, blocks=6, norm="batch", dropout=True),
    "generator_unet_128": GeneratorConfig(architecture="unet", width=2, depth=7),
    "generator_unet_128_batch": GeneratorConfig(architecture="unet", width=2, depth=7, norm="batch"),
    "discriminator_patch_3": DiscriminatorConfig(width=4),
    "discriminator_pixel": DiscriminatorConfig(architecture="pixel", width=4),
}


def built(weights: dict[str, torch.Tensor]) -> nn.Module:
    """Build the network that weights are recognised as."""
    spec = infer_config(weights)
    return meta_module(spec, infer_channels(spec, weights))


@pytest.mark.parametrize("name", [*GENERATORS, *DISCRIMINATORS])
def test_each_of_the_reference_s_networks_is_recognised(name: str):
    assert infer_config(golden_weights(name)) == EXPECTED_CONFIGS[name]


@pytest.mark.parametrize("name", [*GENERATORS, *DISCRIMINATORS])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_and_old_statistics_change_nothing(name: str, prefix: str):
    theirs = extract_weights(wrapped(with_old_statistics(name), prefix))
    assert infer_config(theirs) == EXPECTED_CONFIGS[name]
    network = built(theirs)
    with_them, without = from_reference(network, theirs), from_reference(network, golden_weights(name))
    assert with_them.keys() == without.keys()
    assert all(torch.equal(with_them[key], tensor) for key, tensor in without.items())


@pytest.mark.parametrize(
    "network",
    [
        *(ResNetGenerator(width=width, blocks=blocks) for width, blocks in ((1, 0), (3, 1), (8, 12))),
        ResNetGenerator(width=2, blocks=2, dropout=True),
        ResNetGenerator(width=2, blocks=2, norm="batch"),
        *(UNetGenerator(width=2, depth=depth, norm=norm) for depth in (2, 3, 8) for norm in ("instance", "batch")),
        *(PatchDiscriminator(width=2, layers=layers, norm="batch") for layers in (1, 2, 5)),
        PatchDiscriminator(width=2, layers=4),
        PixelDiscriminator(width=3, norm="batch"),
        *(ResNetGenerator(*ends, width=3, blocks=blocks) for blocks in (0, 2) for ends in ((1, 3), (3, 1), (1, 1))),
        ResNetGenerator(3, 1, width=1, blocks=1, dropout=True),
        *(UNetGenerator(*ends, width=2, depth=depth) for depth in (2, 5) for ends in ((1, 3), (3, 1), (1, 1))),
        UNetGenerator(1, 3, width=1, depth=3, norm="batch"),
        PatchDiscriminator(1, width=1, layers=2),
        PixelDiscriminator(1, width=1),
    ],
    ids=lambda network: type(network).__name__,
)
def test_every_depth_and_width_in_grey_and_colour_is_recognised(network: nn.Module):
    theirs = to_reference(network)
    found = built(theirs)
    assert type(found) is type(network)
    found.load_state_dict(from_reference(found, theirs), assign=True)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in to_reference(found).items())


def test_statistics_of_batch_norms_are_real_and_counters_may_be_absent():
    weights = golden_weights("generator_unet_128_batch")
    network = UNetGenerator(width=2, depth=7, norm="batch")
    old = {name: tensor for name, tensor in weights.items() if not name.endswith("num_batches_tracked")}
    network.load_state_dict(from_reference(network, old))
    assert torch.equal(
        to_reference(network)["model.model.1.model.2.running_var"], weights["model.model.1.model.2.running_var"]
    )


def test_half_precision_becomes_single():
    network = small_generator()
    halves = {name: tensor.half() for name, tensor in to_reference(network).items()}
    assert {tensor.dtype for tensor in from_reference(network, halves).values()} == {torch.float32}


@pytest.mark.parametrize(
    ("saved", "answer"),
    [
        (None, "no weights by name"),
        ({}, "no weights by name"),
        ([torch.zeros(1)], "no weights by name"),
        ({"epoch": 3}, "entry epoch is no tensor but int"),
        ({"state_dict": {}}, "entry state_dict is no tensor but dict"),
        ({"x": torch.zeros(1).expand(10**6, 10**6)}, "tensor x does not hold all its numbers"),
        ({"x": torch.zeros(4, device="meta")}, "tensor x does not hold all its numbers"),
        ({"x": torch.eye(2).to_sparse()}, "tensor x does not hold all its numbers"),
        ({"x": torch.zeros(1), "module.x": torch.zeros(1)}, "weights twice"),
    ],
)
def test_what_is_no_set_of_weights_is_a_sentence(saved: object, answer: str):
    with pytest.raises(ModelFileError, match=answer):
        extract_weights(saved)


SMALL = to_reference(small_generator())
OTHER = to_reference(small_generator(1))
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    "saved",
    [
        {"state_dict": SMALL, "epoch": 3},
        {"model": SMALL, "optimizer": OPTIMIZER, "epoch": 3},
        {"params": OTHER, "params_ema": SMALL},
        {"params": SMALL},
        {"model_state_dict": SMALL, "optimizer_state_dict": OPTIMIZER, "loss": torch.zeros(3).tolist()},
        {"net": SMALL, "acc": 0.5},
        {"generator": SMALL, "discriminator": OTHER},
        {"G_state_dict": SMALL, "D_state_dict": OTHER, "G_optimizer_state_dict": OPTIMIZER},
        {"gen": SMALL, "dis": OTHER, "gen_ema": SMALL},
        {"model": {"generator": SMALL, "discriminator": OTHER}, "step": 7},
        {"state_dict": {"model": SMALL}},
        {"ema": {"shadow": SMALL, "decay": 0.99}, "model": OTHER},
        {"state_dict": wrapped(SMALL, "module.")},
        {"state_dict": wrapped(SMALL, "generator.") | wrapped(OTHER, "discriminator.")},
        {"state_dict": wrapped(SMALL, "netG.module.") | wrapped(OTHER, "netD.module.")},
        wrapped(SMALL, "generator."),
        wrapped(SMALL, "model."),
        wrapped(SMALL, "module.G."),
    ],
    ids=lambda saved: ",".join(saved)[:40],
)
def test_weights_are_found_inside_a_checkpoint(saved: dict):
    found = extract_weights(saved)
    assert found.keys() == SMALL.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in SMALL.items())


@pytest.mark.parametrize(
    ("saved", "answer"),
    [
        ({"G_A": SMALL, "G_B": OTHER}, "several networks: G_A, G_B"),
        ({"model": {"model": {"model": SMALL}}}, "no tensor but dict|no weights|no network"),
        ({"optimizer": OPTIMIZER, "epoch": 3}, "entry optimizer is no tensor but dict"),
        (SMALL | {"epoch": 3}, "entry epoch is no tensor but int"),
    ],
)
def test_a_checkpoint_without_one_network_is_an_error(saved: dict, answer: str):
    with pytest.raises(ModelFileError, match=answer):
        extract_weights(saved)


def changed(name: str, **weights: torch.Tensor | None) -> dict[str, torch.Tensor]:
    """Return golden weights with some replaced, added or, for None, left out."""
    weights = golden_weights(name) | {key.replace("__", "."): tensor for key, tensor in weights.items()}
    return {key: tensor for key, tensor in weights.items() if tensor is not None}


RESNET = "generator_resnet_6blocks"


@pytest.mark.parametrize(
    ("weights", "answer"),
    [
        ({"x": torch.zeros(1)}, "no known network, but x"),
        ({"model.1.weight": torch.zeros(())}, "cannot be built"),
        ({"model.1.weight": torch.zeros(5000, 3, 7, 7)}, "cannot be built: generator.width is 5000"),
        ({"model.0.weight": torch.zeros(4, 3, 4, 4)}, "cannot be built: discriminator.layers is -1"),
        (changed(RESNET, model__7__weight=None), "1 missing, 0 unknown, such as model.7.weight"),
        (changed(RESNET, model__7__filt=torch.zeros(1)), "0 missing, 1 unknown, such as model.7.filt"),
        (changed(RESNET, model__1__weight=torch.zeros(4, 3, 5, 5)), r"model.1.weight is float32 \[4, 3, 5, 5\], where"),
        (changed(RESNET, model__1__weight=torch.zeros(4, 3, 7)), r"model.1.weight is float32 \[4, 3, 7\], where"),
        (changed(RESNET, model__1__weight=torch.zeros(4, 2, 7, 7)), r"images have 2 channels, where 1 \(grey\) or 3"),
        (changed(RESNET, model__23__weight=torch.zeros(4, 4, 7, 7)), "images have 4 channels, where"),
        (changed(RESNET, model__23__weight=torch.zeros(1, 4, 7, 7)), r"model.23.bias is float32 \[3\], where"),
        (changed(RESNET, model__23__weight=None), "1 missing, 0 unknown, such as model.23.weight"),
        (to_reference(UNetGenerator(3, 2, width=1, depth=2)), "images have 2 channels, where"),
        (to_reference(PatchDiscriminator(5, width=1)), "images have 5 channels, where"),
        (changed(RESNET, model__7__weight=torch.zeros(16, 8, 3, 3, dtype=torch.int64)), "model.7.weight is int64"),
        (changed(RESNET, model__7__weight=torch.full((16, 8, 3, 3), torch.nan)), "model.7.weight holds .* not finite"),
        (changed(RESNET, model__7__weight=torch.full((16, 8, 3, 3), 1e300, dtype=torch.float64)), "not finite"),
        ({k: t for k, t in golden_weights(RESNET).items() if t.ndim == 4 or k == "model.23.bias"}, "has no norm"),
        (
            changed("generator_resnet_6blocks_batch_dropout", model__1__bias=torch.ones(4)),  # would change the output
            "0 missing, 1 unknown, such as model.1.bias",
        ),
        (changed(RESNET, model__2__weight=torch.ones(4), model__2__bias=torch.ones(4)), "0 missing, 2 unknown"),
    ],
)
def test_weights_of_other_networks_are_sentences(weights: dict[str, torch.Tensor], answer: str):
    with pytest.raises(ModelFileError, match=answer):
        from_reference(built(weights), weights)
