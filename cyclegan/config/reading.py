"""Settings from layers, of which the later ones win: defaults, preset, file, command line; TOML in and out."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from cyclegan.atomic import write_text
from cyclegan.config.checks import SPELLING_HINT
from cyclegan.config.presets import Settings
from cyclegan.config.sections import SECTIONS, Config
from cyclegan.errors import ConfigError
from cyclegan.text import printable

MAX_BYTES = 2**15  # of a settings file; with every setting it has a tenth


def build_config(*layers: Settings) -> Config:
    """Build the settings from layers of which the later ones win; unknown keys and wrong values are errors."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.items():
            if section == "game":
                raise ConfigError(
                    "these settings are of cyclegan 0.1, whose runs this version cannot continue.",
                    "Its models still translate; train a new run, or install cyclegan 0.1 to continue.",
                )
            if section not in SECTIONS:
                raise unknown_setting(section, SECTIONS)
            if not isinstance(values, Mapping):
                raise ConfigError(f"{section} is a section, not a value.", "Name a setting in it: section.key.")
            merged.setdefault(section, {}).update(values)
    for section, values in merged.items():
        known = {f.name for f in dataclasses.fields(SECTIONS[section])}  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                raise unknown_setting(f"{section}.{key}", known)
    return Config(**{section: SECTIONS[section](**values) for section, values in merged.items()})  # type: ignore[arg-type]


def is_set(layers: Iterable[Settings], section: str, key: str) -> bool:
    """Tell whether any layer holds this setting."""
    return any(key in values for layer in layers if isinstance(values := layer.get(section), Mapping))


def unknown_setting(name: str, known: Iterable[str]) -> ConfigError:
    """Return the error that names an unknown setting and those of its section."""
    return ConfigError(f"unknown setting {printable(name)}; known here: {', '.join(sorted(known))}.", SPELLING_HINT)


def parse_assignment(text: str) -> Settings:
    """Read `section.key=value`, the value as in TOML; a bare word is a string."""
    path, equals, value = text.partition("=")
    section, dot, key = path.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"{printable(text)} is no setting.", "Write --set section.key=value, as in loss.cycle_a=5.")
    try:
        return {section: {key: tomllib.loads(f"value = {value}")["value"]}}
    except (ValueError, RecursionError):
        return {section: {key: value.strip()}}


def load_settings(path: Path) -> Settings:
    """Read settings from a TOML file, such as a run's `config.toml`."""
    try:
        if path.stat().st_size > MAX_BYTES:  # hostile ones take the time of their size's square
            raise ConfigError(f"{printable(path)} is too large for settings.", "Correct it, or leave it out.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{printable(path)} cannot be read: {error.strerror}.", "Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{printable(path)} is not valid TOML: {error}.", "Correct it, or leave it out.") from error


def save_config(config: Config, path: Path) -> None:
    """Write every setting to a TOML file."""
    write_text(path, tomli_w.dumps(dataclasses.asdict(config)))
