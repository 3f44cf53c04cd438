"""Differences between the settings of two runs, or from the defaults."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from cyclegan.config.sections import SECTIONS, Config

FOLDER_SETTINGS = ("folder_a", "folder_b", "name_a", "name_b")  # differ from run to run
MOVABLE_FOLDERS = ("folder_a", "folder_b", "validate_a", "validate_b")  # their pictures must stay the same
CHANGEABLE_SECTIONS = ("machine", "logging", "schedule")  # in a run that continues


def forbidden_changes(old: Config, new: Config) -> list[str]:
    """Return the settings that differ and must not in a run that continues, as `section.key (was …, now …)`."""
    return [f"{name} (was {before!r}, now {after!r})" for name, (before, after) in differences(old, new).items()]


def assignments(old: Config, new: Config) -> str:
    """Return the options of the command line that give the old values to settings that must not change."""
    return " ".join(f"--set {name}={toml_value(before)}" for name, (before, _) in differences(old, new).items())


def toml_value(value: object) -> str:
    """Return a value as `--set` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Return the old and the new values of the settings that differ and must not in a run that continues."""
    return {
        f"{section}.{f.name}": (getattr(before, f.name), getattr(after, f.name))
        for section in SECTIONS
        if section not in CHANGEABLE_SECTIONS
        for before, after in [(getattr(old, section), getattr(new, section))]
        for f in dataclasses.fields(before)
        if getattr(before, f.name) != getattr(after, f.name) and not is_move(f.name, old, new)
    }


def is_move(key: str, old: Config, new: Config) -> bool:
    """Tell whether a setting differs only because a folder or model was moved or renamed."""
    if key in MOVABLE_FOLDERS:
        return bool(getattr(old.data, key) and getattr(new.data, key))
    if key in ("name_a", "name_b"):  # named after its folder
        before, after = (getattr(config.data, key.replace("name", "folder")) for config in (old, new))
        return bool(os.path.realpath(before) != os.path.realpath(after))
    if key in ("init_from", "teacher"):
        return bool(Path(getattr(old.training, key)).name == Path(getattr(new.training, key)).name)
    return False


def changed_settings(config: Config) -> dict[str, Any]:
    """Return the settings that differ from the defaults, except folders and domain names."""
    return {
        f"{section}.{f.name}": value
        for section in SECTIONS
        for f in dataclasses.fields(getattr(config, section))
        if (value := getattr(getattr(config, section), f.name)) != f.default and f.name not in FOLDER_SETTINGS
    }
