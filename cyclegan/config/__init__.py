"""Every setting of a run: `sections` defines them, `reading` merges and saves them, `presets` names some."""

from cyclegan.config.changes import assignments, changed_settings, forbidden_changes
from cyclegan.config.presets import PRESETS, Settings, preset
from cyclegan.config.reading import build_config, is_set, load_settings, parse_assignment, save_config
from cyclegan.config.sections import (
    SECTIONS,
    Config,
    DataConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    LoggingConfig,
    LossConfig,
    MachineConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainingConfig,
)

__all__ = [
    "PRESETS",
    "SECTIONS",
    "Config",
    "DataConfig",
    "DiscriminatorConfig",
    "GeneratorConfig",
    "LoggingConfig",
    "LossConfig",
    "MachineConfig",
    "OptimizerConfig",
    "ScheduleConfig",
    "Settings",
    "TrainingConfig",
    "assignments",
    "build_config",
    "changed_settings",
    "forbidden_changes",
    "is_set",
    "load_settings",
    "parse_assignment",
    "preset",
    "save_config",
]
