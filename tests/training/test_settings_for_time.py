"""A time chooses a recipe by the speed of the machine, beneath what the user says."""

import pytest
import torch

from cyclegan.config import Config, build_config
from cyclegan.errors import ConfigError
from cyclegan.training import settings_for_time as rules
from cyclegan.training.settings_for_time import CHOSEN, RECIPES, chosen_before, settings_for_time

CPU = {"machine": {"device": "cpu"}}


def seconds_per_step(config: Config) -> float:
    """Return a time that grows with the work, like that of one core."""
    work = config.data.size**2 * config.generator.width * (config.resnet_blocks + 8)
    return work / 64**2 / 16 / 14 * 0.06


def chosen(hours: float, *layers: dict, speed=seconds_per_step) -> Config:
    """Return the settings for some hours."""
    layers = ({"schedule": {"hours": hours}}, CPU, *layers)
    return build_config(*settings_for_time(hours, layers, speed), *layers)


@pytest.mark.parametrize(
    ("hours", "size", "width"), [(0.05, 48, 16), (0.25, 64, 16), (1, 96, 16), (3, 96, 16), (10, 96, 24)]
)
def test_more_time_allows_larger_pictures_and_networks(hours: float, size: int, width: int):
    config = chosen(hours)
    assert (config.data.size, config.generator.width) == (size, width)
    assert config.discriminator.width == width


def test_a_fast_machine_trains_the_paper_s_networks():
    config = chosen(1, speed=lambda _: 0.01)
    assert (config.data.size, config.generator.width, config.discriminator.layers) == (256, 64, 3)
    assert config.training.ema_decay == 0.9995


def test_on_a_gpu_every_recipe_is_measured(monkeypatch):
    monkeypatch.setattr(rules, "choose_device", lambda _: torch.device("cuda"))
    assert chosen(1, speed=lambda _: 0.03).data.size == 256  # 120,000 samples: too few for 128 px of width 32


def test_what_is_said_stays_as_said():
    config = chosen(1, {"data": {"size": 128}, "generator": {"width": 8}, "training": {"ema_decay": 0.5}})
    assert (config.data.size, config.data.load_size) == (128, "auto")
    assert (config.generator.width, config.training.ema_decay) == (8, 0.5)
    assert chosen(1, {"generator": {"width": 64}}).optimizer.learning_rate == 2e-4
    assert chosen(1, {"data": {"load_size": 80}}).data.size <= 80


def test_settings_that_no_recipe_fits_are_an_error():
    with pytest.raises(ConfigError, match="size is 50"):
        chosen(1, {"data": {"size": 50}})


def test_lines_of_metrics_are_seconds_apart():
    assert chosen(1, speed=lambda _: 3.0).logging.every == 3
    assert chosen(1, speed=lambda _: 0.01).logging.every == 50


def test_a_continuation_has_what_was_chosen_before():
    config = chosen(10)
    assert build_config(chosen_before(config), {"schedule": {"hours": 10}}, CPU) == config


def test_every_recipe_is_valid_and_sets_the_same():
    for recipe in RECIPES:
        build_config(recipe.settings)
        assert all(tuple(keys) == CHOSEN[section] for section, keys in recipe.settings.items())


def test_on_a_cpu_no_more_is_measured_than_needed():
    sizes: list[int] = []

    def speed(config: Config) -> float:
        sizes.append(config.data.size)
        return seconds_per_step(config)

    chosen(0.25, speed=speed)
    assert max(sizes) == 96
