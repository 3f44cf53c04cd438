"""A new run may start from the weights of a model, which its continuation does not need."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cyclegan.checkpoints.model_file import ModelInfo, load_model, save_model
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config
from cyclegan.errors import ConfigError, ModelFileError, RunError
from cyclegan.models import build_networks
from cyclegan.reference.importing import import_model
from cyclegan.training import load_inputs
from cyclegan.training.build import build_state
from tests.pth_files import save_networks
from tests.support.models import write_model
from tests.support.runs import contents, tiny_settings, train_run

NO_DROPOUT = {"generator": {"dropout": False}}


def starting_from(model: Path) -> dict[str, dict[str, object]]:
    """Return the settings of a run that starts from a model."""
    return NO_DROPOUT | {"training": {"init_from": str(model)}}


def first_networks(folders, tmp_path: Path, *settings):
    """Return the networks of a run before its first step."""
    config = build_config(*tiny_settings(folders, 4), *settings)
    inputs = load_inputs(config, Run(tmp_path / "new"))
    return build_state(inputs)[0].networks


def is_equal(network: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in network.state_dict().items())


def test_a_run_starts_from_imported_networks(folders, tmp_path):
    reference = save_networks(tmp_path / "reference")
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "reference"]))
    networks = first_networks(folders, tmp_path, starting_from(tmp_path / "m.safetensors"))
    for name, reference_name in {"a2b": "G_A", "b2a": "G_B", "disc_b": "D_A", "disc_a": "D_B"}.items():
        assert is_equal(getattr(networks, name), reference[reference_name])


def test_a_grey_run_starts_from_a_grey_model_only(folders, tmp_path):
    reference = save_networks(tmp_path / "reference", a=1, b=3)
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "reference"]))
    settings = starting_from(tmp_path / "m.safetensors")
    networks = first_networks(folders, tmp_path, settings, {"data": {"channels_a": 1}})
    assert is_equal(networks.a2b, reference["G_A"])
    assert is_equal(networks.disc_a, reference["D_B"])
    with pytest.raises(ConfigError, match=r"m.safetensors holds .*: data.channels_a \(was 1, now 3\)\."):
        first_networks(folders, tmp_path, settings)


def test_networks_missing_from_the_model_are_random(folders, tmp_path):
    reference = save_networks(tmp_path / "reference")
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "reference" / "latest_net_G_B.pth"]))
    networks = first_networks(folders, tmp_path, starting_from(tmp_path / "m.safetensors"))
    usual = build_networks(build_config(*tiny_settings(folders, 4), NO_DROPOUT))
    assert is_equal(networks.b2a, reference["G_B"])
    assert all(is_equal(getattr(networks, name), getattr(usual, name)) for name in ("a2b", "disc_a", "disc_b"))


def test_a_continuation_does_not_need_the_initial_model(folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    train_run(Run(tmp_path / "whole"), folders, 6, starting_from(model))
    train_run(Run(tmp_path / "stopped"), folders, 3, starting_from(model))
    model.unlink()
    train_run(Run(tmp_path / "stopped"), folders, 6, starting_from(model))
    whole, stopped = (contents(Run(tmp_path / name)) for name in ("whole", "stopped"))
    assert (stopped["state"], stopped["models"]) == (whole["state"], whole["models"])
    with pytest.raises(RunError, match=r"training.init_from \(was .*m.safetensors', now ''\)"):
        train_run(Run(tmp_path / "stopped"), folders, 6, NO_DROPOUT)


def generators_alone(path: Path) -> Path:
    """Write a model without discriminators."""
    info, weights = load_model(write_model(path))
    generators = {name: weight for name, weight in weights.items() if not name.startswith("disc")}
    save_model(path, replace(info, discriminator=None), generators)
    return path


@pytest.mark.parametrize("stops", [(3,), (1, 3)])
def test_new_discriminators_learn_alone_at_first(folders, tmp_path, stops):
    model, run = generators_alone(tmp_path / "m.safetensors"), Run(tmp_path / "run")
    _, initial = load_model(model)
    settings = NO_DROPOUT, {"training": {"init_from": str(model), "discriminator_warmup": 3, "ema_decay": 0.0}}

    def changed() -> set[str]:
        _, weights = load_model(run.model)
        return {name.partition(".")[0] for name in initial if not weights[name].equal(initial[name])}

    for steps in stops:
        train_run(run, folders, steps, *settings)
    assert changed() == set()
    train_run(run, folders, 4, *settings)
    assert changed() == {"a2b", "b2a"}


@pytest.mark.parametrize(
    ("write", "steps", "expected"),
    [(generators_alone, 20, 2), (generators_alone, 20_000, 1500), (write_model, 20, 0), (None, 20, 0)],
)
def test_the_warmup_depends_on_the_model_and_the_length(folders, tmp_path, write, steps, expected):
    model = starting_from(write(tmp_path / "m.safetensors")) if write else NO_DROPOUT
    config = build_config(*tiny_settings(folders, steps), model, {"schedule": {"epochs": 10_000}})
    assert load_inputs(config, Run(tmp_path / "new")).discriminator_warmup == expected


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"generator": {"width": 8}}, r"other settings: generator.width \(was 4, now 8\)"),
        (
            {"generator": {"blocks": "auto", "dropout": True}},
            r"generator.blocks \(was 1, now 6\); generator.dropout \(was",
        ),
        ({"data": {"channels_b": 1}}, r"other settings: data.channels_b \(was 3, now 1\)\."),
        ({"discriminator": {"layers": 1}}, r"discriminator.layers \(was 2, now 1\)"),
        ({"training": {"init_from": "nowhere"}}, "there is no model nowhere"),
    ],
)
def test_a_model_of_other_networks_is_an_error(folders, tmp_path, settings, answer: str):
    save_networks(tmp_path / "reference")
    save_model(tmp_path / "m.safetensors", *import_model([tmp_path / "reference"]))
    with pytest.raises((ConfigError, ModelFileError), match=answer):
        first_networks(folders, tmp_path, starting_from(tmp_path / "m.safetensors"), settings)


def test_the_hint_of_other_networks_can_be_copied(folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    other = {"generator": {"width": 8, "dropout": True}}
    with pytest.raises(ConfigError) as caught:
        first_networks(folders, tmp_path, starting_from(model), other)
    assert "--set generator.width=4 --set generator.dropout=false, or without --init-from" in caught.value.hint


def test_a_model_without_its_weights_is_an_error(folders, tmp_path):
    config = build_config(*tiny_settings(folders, 4), NO_DROPOUT)
    info = ModelInfo(generator=config.generator, domain_a="a", domain_b="b", size=32, steps=0, averaged=False)
    save_model(tmp_path / "m.safetensors", info, {"a2b.body.1.weight": torch.zeros(3)})
    with pytest.raises(ModelFileError, match="does not hold the weights of a2b"):
        first_networks(folders, tmp_path, starting_from(tmp_path / "m.safetensors"))
