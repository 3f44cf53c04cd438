"""Settings are checked where they are born and come back from a file as they were."""

from pathlib import Path

import pytest

from cyclegan.config import (
    PRESETS,
    Config,
    build_config,
    forbidden_changes,
    load_settings,
    parse_assignment,
    preset,
    save_config,
)
from cyclegan.errors import ConfigError


def test_settings_survive_a_round_trip_through_a_file(tmp_path: Path):
    config = build_config({"data": {"name_a": 'a "quoted" näme', "flip": 0.25}, "loss": {"adversarial": "hinge"}})
    save_config(config, tmp_path / "config.toml")
    assert build_config(load_settings(tmp_path / "config.toml")) == config


def test_the_paper_preset_is_the_paper():
    config = build_config(preset("paper"))
    assert (config.data.size, config.data.short_side, config.data.keep_aspect) == (256, 286, False)
    assert (config.generator.architecture, config.resnet_blocks, config.generator.width) == ("resnet", 9, 64)
    assert (config.discriminator.architecture, config.discriminator.layers) == ("patch", 3)
    assert (config.loss.cycle_a, config.loss.cycle_b, config.loss.identity) == (10, 10, 0.5)
    assert config.loss.adversarial == "lsgan"
    assert (config.optimizer.learning_rate, config.optimizer.beta1, config.optimizer.beta2) == (2e-4, 0.5, 0.999)
    assert (config.training.batch_size, config.training.pool_size, config.training.init_gain) == (1, 50, 0.02)
    assert (config.training.ema_decay, config.training.precision) == (0, "fp32")
    assert (config.schedule.epochs, config.schedule.decay_epochs) == (100, 100)
    assert build_config(preset("paper"), {"data": {"size": 128}}).resnet_blocks == 6


def test_later_layers_win():
    assert build_config(preset("tiny"), {"data": {"size": 64}}).data.size == 64


@pytest.mark.parametrize(
    ("assignment", "answer"),
    [
        ("loss.cycel=1", "unknown setting loss.cycel; known here: adversarial, cycle_a, cycle_b, distill, identity,"),
        ("lss.cycle_a=1", "unknown setting lss"),
        ("loss.cycle_a=ten", "loss.cycle_a is 'ten'; it must be a number."),
        ("loss.cycle_a=-1", "loss.cycle_a is -1.0; it must be between 0 and 1e+06."),
        ("loss.cycle_a=nan", "it must be between 0 and 1e+06."),
        ("training.batch_size=1.5", "it must be a whole number."),
        ("training.batch_size=true", "it must be a whole number."),
        ("data.flip=2", "it must be between 0 and 1."),
        ("loss.adversarial=wgan", "it must be lsgan or vanilla or hinge."),
        ("data.size=66", "does not divide by 4"),
        ("discriminator.layers=7", "needs images of at least 384 pixels"),
        ("data.load_size=100", "less than data.size"),
        ("generator.norm=batch", "batch norm is for models made elsewhere"),
        (f"loss.cycle_a=1{'0' * 400}", "between 0 and 1e+06"),
        (f"schedule.epochs={'1' * 5000}", "must be a whole number"),
        (f"loss.cycle_a={'[' * 3000}", "must be a number"),
        ("machine.threads=100000", "between 1 and 256"),
        ("data.name_a=../x", "cannot be a domain's name"),
        ("machine.device=\udce4", "not valid Unicode"),
        ("loss", "loss is no setting."),
        ("loss=5", "loss=5 is no setting."),
    ],
)
def test_a_wrong_setting_is_named(assignment: str, answer: str):
    with pytest.raises(ConfigError) as caught:
        build_config(parse_assignment(assignment))
    assert answer in str(caught.value)
    assert caught.value.hint


def test_a_u_net_needs_a_divisible_size():
    with pytest.raises(ConfigError, match="divides by 256"):
        build_config({"generator": {"architecture": "unet", "depth": 8}, "data": {"size": 320}})


def test_values_are_toml_and_bare_words_are_text():
    assert parse_assignment("data.keep_aspect=false") == {"data": {"keep_aspect": False}}
    assert parse_assignment("machine.device=cuda:1") == {"machine": {"device": "cuda:1"}}


def test_a_continued_run_may_change_schedule_and_machine():
    old = Config()
    new = build_config({"schedule": {"epochs": 7}, "machine": {"device": "cpu", "workers": 0}, "logging": {"every": 1}})
    assert forbidden_changes(old, new) == []
    assert forbidden_changes(old, build_config({"loss": {"identity": 0}})) == ["loss.identity (was 0.5, now 0.0)"]


@pytest.mark.parametrize("text", ["not = [toml", "a = " + "[" * 5000, "\x00"])
def test_invalid_toml_is_an_error(tmp_path: Path, text: str):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ConfigError, match="is not valid TOML"):
        load_settings(tmp_path / "x.toml")


@pytest.mark.parametrize(
    "text",
    [f"loss.cycle_a{'.x' * 3000} = 1", f"[data]\nsize = 0x{'f' * 9000}", f"[{'a.' * 10**5}a]"],
    ids=["nested", "digits", "long"],
)
def test_settings_beyond_reason_are_an_error(tmp_path: Path, text: str):
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        build_config(load_settings(tmp_path / "config.toml"))


def test_every_preset_is_valid():
    for name in PRESETS:
        build_config(preset(name))


def test_activation_checkpointing_is_for_resnets():
    build_config({"machine": {"activation_checkpointing": True}})
    with pytest.raises(ConfigError, match="is for the resnet architecture"):
        build_config({"machine": {"activation_checkpointing": True}, "generator": {"architecture": "unet"}})
