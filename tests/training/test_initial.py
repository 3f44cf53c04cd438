"""A new run may begin with the weights of a model, which a continuation never asks for again."""

from pathlib import Path

import pytest
import torch

from cyclegan.checkpoints.model_file import ModelInfo, save_model
from cyclegan.checkpoints.runs import Run
from cyclegan.config import build_config
from cyclegan.errors import ConfigError, ModelFileError, RunError
from cyclegan.models import build_networks
from cyclegan.reference.importing import import_model
from cyclegan.training import load_inputs
from cyclegan.training.build import build_state
from tests.models_for_tests import write_model
from tests.pth_files import save_networks
from tests.training.runs_for_tests import tiny_settings, train_run, what_is_left

SPEC = {"generator": {"dropout": False}}


def beginning(model: Path) -> dict[str, dict[str, object]]:
    """Return the settings that begin with a model."""
    return SPEC | {"training": {"init_from": str(model)}}


def first_networks(folders, tmp_path: Path, *settings):
    """Return the networks of a run before its first step."""
    config = build_config(*tiny_settings(folders, 4), *settings)
    plan = load_inputs(config, Run(tmp_path / "new"))
    return build_state(plan)[0].networks


def is_equal(network: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())


def test_a_run_begins_with_the_networks_of_an_imported_game(folders, tmp_path):
    theirs = save_networks(tmp_path / "game")
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "game"]))
    networks = first_networks(folders, tmp_path, beginning(tmp_path / "m.safetensors"))
    for name, theirs_name in {"a2b": "G_A", "b2a": "G_B", "disc_b": "D_A", "disc_a": "D_B"}.items():
        assert is_equal(getattr(networks, name), theirs[theirs_name])


def test_a_grey_game_begins_with_the_networks_of_a_grey_one_alone(folders, tmp_path):
    theirs = save_networks(tmp_path / "game", a=1, b=3)
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "game"]))
    settings = beginning(tmp_path / "m.safetensors")
    networks = first_networks(folders, tmp_path, settings, {"data": {"channels_a": 1}})
    assert is_equal(networks.a2b, theirs["G_A"])
    assert is_equal(networks.disc_a, theirs["D_B"])
    with pytest.raises(ConfigError, match=r"m.safetensors holds .*: data.channels_a \(was 1, now 3\)\."):
        first_networks(folders, tmp_path, settings)


def test_networks_that_the_model_does_not_hold_are_drawn_as_ever(folders, tmp_path):
    theirs = save_networks(tmp_path / "game")
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "game" / "latest_net_G_B.pth"]))
    networks = first_networks(folders, tmp_path, beginning(tmp_path / "m.safetensors"))
    usual = build_networks(build_config(*tiny_settings(folders, 4), SPEC))
    assert is_equal(networks.b2a, theirs["G_B"])
    assert all(is_equal(getattr(networks, name), getattr(usual, name)) for name in ("a2b", "disc_a", "disc_b"))


def test_a_continuation_is_exact_without_the_model_that_the_run_began_with(folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    train_run(Run(tmp_path / "whole"), folders, 6, beginning(model))
    train_run(Run(tmp_path / "stopped"), folders, 3, beginning(model))
    model.unlink()
    train_run(Run(tmp_path / "stopped"), folders, 6, beginning(model))
    whole, stopped = (what_is_left(Run(tmp_path / name)) for name in ("whole", "stopped"))
    assert (stopped["state"], stopped["models"]) == (whole["state"], whole["models"])
    with pytest.raises(RunError, match=r"training.init_from \(was .*m.safetensors', now ''\)"):
        train_run(Run(tmp_path / "stopped"), folders, 6, SPEC)


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"generator": {"width": 8}}, r"other settings: generator.width \(was 4, now 8\)"),
        ({"generator": {"blocks": 0, "dropout": True}}, r"generator.blocks \(was 1, now 6\); generator.dropout \(was"),
        ({"data": {"channels_b": 1}}, r"other settings: data.channels_b \(was 3, now 1\)\."),
        ({"discriminator": {"layers": 1}}, r"discriminator.layers \(was 2, now 1\)"),
        ({"training": {"init_from": "nowhere"}}, "there is no model nowhere"),
    ],
)
def test_a_model_of_other_networks_is_a_sentence_that_says_what_differs(folders, tmp_path, settings, answer: str):
    save_networks(tmp_path / "game")
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "game"]))
    with pytest.raises((ConfigError, ModelFileError), match=answer):
        first_networks(folders, tmp_path, beginning(tmp_path / "m.safetensors"), settings)


def test_a_model_that_does_not_hold_what_it_describes_is_a_sentence(folders, tmp_path):
    config = build_config(*tiny_settings(folders, 4), SPEC)
    info = ModelInfo(generator=config.generator, domain_a="a", domain_b="b", size=32, steps=0, averaged=False)
    save_model(tmp_path / "m.safetensors", info, {"a2b.body.1.weight": torch.zeros(3)})
    with pytest.raises(ModelFileError, match="does not hold the weights of a2b"):
        first_networks(folders, tmp_path, beginning(tmp_path / "m.safetensors"))
