"""Options that `train` and `distill` share, their groups in `--help`, and the settings they stand for."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cyclegan.cli.console import OUTPUT
from cyclegan.config import PRESETS, SECTIONS
from cyclegan.errors import UsageError

DATA, SCHEDULE, NETWORK, HARDWARE, SETTINGS = "Data", "Schedule", "Network", "Hardware", "Settings"  # groups
OPTION_SETTINGS = {  # name of a parameter -> setting
    "paired": "data.paired",
    "aligned": "data.aligned",
    "size": "data.size",
    "validate": "data.validate",
    "validate_a": "data.validate_a",
    "validate_b": "data.validate_b",
    "width": "generator.width",
    "epochs": "schedule.epochs",
    "decay_epochs": "schedule.decay_epochs",
    "max_steps": "schedule.max_steps",
    "hours": "schedule.hours",
    "stop_on_plateau": "schedule.stop_on_plateau",
    "batch_size": "training.batch_size",
    "seed": "training.seed",
    "init_from": "training.init_from",
    "precision": "training.precision",
    "scale_lr": "optimizer.scale",
    "device": "machine.device",
    "devices": "machine.devices",
    "workers": "machine.workers",
    "compile_networks": "machine.compile",
}


LENGTH_OPTIONS = ("hours", "minutes", "epochs", "decay_epochs", "max_steps")  # of which time excludes the others


def settings_of(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of the options that are not None; parameters that are no settings are left out."""
    options = dict(options)
    lengths = [name for name in LENGTH_OPTIONS if options.get(name) is not None]
    if lengths[1:] and not {"hours", "minutes"}.isdisjoint(lengths):
        first, second = (f"--{name.replace('_', '-')}" for name in lengths[:2])
        raise UsageError(f"{first} and {second} both say how long to train.", "Leave one of them out.")
    if lengths == ["minutes"]:
        options["hours"] = options["minutes"] / 60
    elif lengths and lengths != ["hours"]:
        options["hours"] = "none"  # also where the settings of a file, or of a run to distill, say hours
    settings: dict[str, dict[str, Any]] = {}
    for name, path in OPTION_SETTINGS.items():
        if (value := options.get(name)) is not None:
            section, key = path.split(".")
            settings.setdefault(section, {})[key] = str(value) if isinstance(value, Path) else value
    return settings


def option(help_text: str, group: str, *flags: str, setting: str = "", default: object = "", **more: Any) -> Any:
    """Return an option of a group whose help ends with its default: that of a setting, or a text."""
    if setting:
        section, key = setting.split(".")
        default = next(f.default for f in dataclasses.fields(SECTIONS[section]) if f.name == key)  # type: ignore[arg-type]
    text = f"{help_text}  [default: {default}]" if default != "" else help_text
    return typer.Option(*flags, help=text, show_default=False, rich_help_panel=group, **more)


def presets_help() -> str:
    """Return the presets with their purposes."""
    return "; ".join(f"{name} ({preset.purpose})" for name, preset in PRESETS.items())


FolderA = Annotated[
    Path | None,
    typer.Argument(
        metavar="A",
        help="Folder of pictures of domain A; alone, a downloaded data set or a folder with trainA and trainB.",
    ),
]
FolderB = Annotated[Path | None, typer.Argument(metavar="B", help="Folder of pictures of domain B.")]
Paired = Annotated[
    bool | None,
    option("Pictures of the same name in A and B are pairs, the one the translation of the other.", DATA, "--paired"),
]
Aligned = Annotated[
    bool | None,
    option("Each picture in the one folder A holds a pair: A on its left, B on its right.", DATA, "--aligned"),
]
Validate = Annotated[
    float | None,
    option("Share of both folders to hold out; 0: use no test pictures.", DATA, metavar="SHARE"),
]
ValidateA = Annotated[
    Path | None,
    option("Folder of held-out pictures of domain A instead.", DATA, metavar="FOLDER", resolve_path=True),
]
ValidateB = Annotated[
    Path | None, option("Folder of held-out pictures of domain B.", DATA, metavar="FOLDER", resolve_path=True)
]
Size = Annotated[int | None, option("Pixels, width and height of the training images.", DATA, setting="data.size")]

Epochs = Annotated[int | None, option("Epochs at the full learning rate.", SCHEDULE, setting="schedule.epochs")]
DecayEpochs = Annotated[
    int | None,
    option("Epochs in which the learning rate then falls to zero.", SCHEDULE, setting="schedule.decay_epochs"),
]
MaxSteps = Annotated[int | None, option("Steps after which training ends.", SCHEDULE, setting="schedule.max_steps")]
Hours = Annotated[
    float | None,
    option("Hours that the run may take; it fits itself to them.", SCHEDULE, metavar="HOURS"),
]
Minutes = Annotated[float | None, option("The same in minutes.", SCHEDULE, metavar="MINUTES")]
BatchSize = Annotated[int | None, option("Samples in a step, on each device.", SCHEDULE, setting="training.batch_size")]
StopOnPlateau = Annotated[
    bool | None, option("End when validation finds no better model in either direction.", SCHEDULE, "--stop-on-plateau")
]
Seed = Annotated[int | None, option("Seed of all random choices.", SCHEDULE, setting="training.seed")]

InitFrom = Annotated[str | None, option("Start from the weights of this run or model.", NETWORK, metavar="MODEL")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16"] | None,
    option("Precision of the networks.", NETWORK, setting="training.precision"),
]
Compile = Annotated[
    Literal["auto", "on", "off"] | None,
    option("Compile the networks, which takes minutes.", NETWORK, "--compile", setting="machine.compile"),
]

Device = Annotated[str | None, option("auto, cpu, cuda, cuda:1 or mps.", HARDWARE, setting="machine.device")]
Devices = Annotated[
    int | None, option("Number of devices, each with its own samples.", HARDWARE, setting="machine.devices")
]
ScaleLR = Annotated[
    Literal["none", "sqrt", "linear"] | None,
    option("Growth of the learning rate with the number of devices.", HARDWARE, setting="optimizer.scale"),
]
Workers = Annotated[int | None, option("Threads that prepare images.", HARDWARE, setting="machine.workers")]

PresetName = Annotated[
    str, option(f"Settings to start from: {presets_help()}.", SETTINGS, "--preset", default="default")
]
ConfigFile = Annotated[Path | None, option("Settings file, such as a run's config.toml.", SETTINGS, "--config")]
Assignments = Annotated[
    list[str] | None,
    option("Any setting, as in loss.cycle_a=5.", SETTINGS, "--set", metavar="KEY.PATH=VALUE"),
]

RunName = Annotated[str | None, option("Name of the run.", OUTPUT, "--name", default="<A>2<B>, or the data set's name")]
Checkpoints = Annotated[Path, option("Folder of all runs.", OUTPUT, default="checkpoints")]
Fresh = Annotated[bool, option("Move an old run of this name aside and start again.", OUTPUT, "--fresh")]
DryRun = Annotated[bool, option("Print the summary, and train nothing.", OUTPUT, "--dry-run")]
