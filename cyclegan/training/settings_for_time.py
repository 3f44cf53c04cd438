"""The settings that make the best of a given time: one table, and the speed of this machine.

The rule: of the recipes below, take the last one that still sees enough samples in the time. Where the figures come
from, and which of them are only reasoned, is in docs/experiments.md.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cyclegan.config import Config, Settings, build_config, is_set
from cyclegan.devices import choose_device
from cyclegan.errors import ConfigError

LEARNING_RATES = {16: 5e-4, 24: 4e-4, 32: 3e-4, 1024: 2e-4}  # up to this width of the generators
LONG_RUN = 10_000  # steps from which the EMA may be longer
MAX_LINE_SECONDS = 10.0  # between two lines of the metrics
MIN_LINES = 50  # of the metrics, in a run
MAX_LINE_STEPS = 50  # between two lines of the metrics


@dataclass(frozen=True)
class Recipe:
    """Settings, and the samples from which they are worth their time."""

    min_samples: int
    size: int  # pixels of the crop
    load_size: int  # pixels of the short side before it
    width: int  # of the generators
    blocks: int
    disc_width: int
    disc_layers: int

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The recipe as settings."""
        return {
            "data": {"size": self.size, "load_size": self.load_size},
            "generator": {"width": self.width, "blocks": self.blocks},
            "discriminator": {"width": self.disc_width, "layers": self.disc_layers},
        }


RECIPES = (
    Recipe(0, size=48, load_size=72, width=16, blocks=4, disc_width=16, disc_layers=2),
    Recipe(8_000, size=64, load_size=143, width=16, blocks=6, disc_width=16, disc_layers=2),
    Recipe(24_000, size=96, load_size=143, width=16, blocks=6, disc_width=16, disc_layers=2),
    Recipe(120_000, size=96, load_size=143, width=24, blocks=9, disc_width=24, disc_layers=2),
    Recipe(200_000, size=128, load_size=143, width=32, blocks=9, disc_width=32, disc_layers=3),
    # From here on for GPUs: on a CPU the search has ended before.
    Recipe(40_000, size=128, load_size=143, width=64, blocks=6, disc_width=64, disc_layers=3),
    Recipe(100_000, size=256, load_size=286, width=64, blocks=9, disc_width=64, disc_layers=3),
)
CHOSEN = {section: tuple(keys) for section, keys in RECIPES[0].settings.items()} | {
    "optimizer": ("learning_rate",),
    "training": ("ema_decay",),
    "logging": ("every",),
}  # section -> the keys that may be chosen


def settings_for_time(
    hours: float, layers: Sequence[Settings], seconds_per_step: Callable[[Config], float]
) -> list[Settings]:
    """Choose the layers of settings that lie beneath `layers`, for a new run of so many hours.

    What the layers say stays. `seconds_per_step` measures a step with some settings. On a CPU the search ends with the
    first recipe that takes too long; on a GPU small networks are hardly faster than large ones, so all are measured.
    """
    seconds = hours * 3600
    best: tuple[Settings, Config, float] | None = None
    for recipe, config, settings in allowed_recipes(layers):
        if best and all(getattr(config, part) == getattr(best[1], part) for part in recipe.settings):
            continue  # the layers say all in which the two differ
        step_seconds = seconds_per_step(config)
        if best is None or seconds / step_seconds * config.training.batch_size >= recipe.min_samples:
            best = settings, config, step_seconds
        elif choose_device(config.machine.device).type == "cpu":
            break
    assert best is not None
    settings, config, step_seconds = best
    return [settings, settings_that_follow(config, seconds, step_seconds)]


def allowed_recipes(layers: Sequence[Settings]) -> Iterable[tuple[Recipe, Config, Settings]]:
    """Yield the recipes that the layers allow, the small ones first; if they allow none, raise the first error."""
    errors: list[ConfigError] = []
    for recipe in RECIPES:
        settings = recipe.settings
        if is_set(layers, "data", "size"):
            del settings["data"]["load_size"]  # it belongs to the size
        try:
            yield recipe, build_config(settings, *layers), settings
        except ConfigError as error:
            errors.append(error)
    if len(errors) == len(RECIPES):
        raise errors[0]


def settings_that_follow(config: Config, seconds: float, step_seconds: float) -> Settings:
    """Return the settings that follow from the width of the generators and the number of steps in the time."""
    line_seconds = min(MAX_LINE_SECONDS, seconds / MIN_LINES)
    return {
        "optimizer": {
            "learning_rate": next(rate for width, rate in LEARNING_RATES.items() if config.generator.width <= width)
        },
        "training": {"ema_decay": 0.9995 if seconds / step_seconds >= LONG_RUN else 0.999},
        "logging": {"every": min(max(round(line_seconds / step_seconds), 1), MAX_LINE_STEPS)},
    }


def chosen_before(config: Config) -> Settings:
    """Return the settings of a saved run that were chosen for its time, as the layer beneath the others."""
    return {section: {key: getattr(getattr(config, section), key) for key in keys} for section, keys in CHOSEN.items()}
