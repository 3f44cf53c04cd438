"""Presets: settings that belong together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cyclegan.config.checks import SPELLING_HINT
from cyclegan.errors import ConfigError
from cyclegan.text import printable

Settings = Mapping[str, Mapping[str, Any]]  # section -> key -> value, as in the TOML file


@dataclass(frozen=True)
class Preset:
    """Settings that belong together."""

    purpose: str
    settings: Settings


PRESETS = {
    "default": Preset("the paper's recipe with averaged weights", {}),
    "paper": Preset(
        "the paper to the letter",
        {"data": {"keep_aspect": False}, "training": {"precision": "fp32", "ema_decay": 0.0}},
    ),
    "fast": Preset(
        "128 px, by estimate ten minutes of one GPU for a thousand pictures",
        {"data": {"size": 128}, "schedule": {"epochs": 20, "decay_epochs": 20}},
    ),
    "small": Preset(
        "for a handful of pictures of each kind",
        {"training": {"diffaugment": True}, "schedule": {"epochs": 1000, "decay_epochs": 1000}},
    ),
    "tiny": Preset(
        "32 px and small networks, for trying things on a CPU",
        {
            "data": {"size": 32},
            "generator": {"width": 8, "blocks": 1},
            "discriminator": {"width": 8, "layers": 2},
        },
    ),
}


def preset(name: str) -> Settings:
    """Return a preset's settings."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {printable(name)}; known: {', '.join(PRESETS)}.", SPELLING_HINT)
    return PRESETS[name].settings
