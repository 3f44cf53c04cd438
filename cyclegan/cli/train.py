"""`cyclegan train`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cyclegan.cli.console import Json, Progress, Quiet
from cyclegan.cli.datasets import find_data_set, missing_folders_error
from cyclegan.cli.training import (
    Assignments,
    BatchSize,
    Checkpoints,
    DecayEpochs,
    Device,
    DryRun,
    Epochs,
    Fresh,
    MaxSteps,
    set_flags,
    train_and_print,
)
from cyclegan.config import PRESETS, Settings, build_config, load_settings, parse_assignment, preset

PRESETS_IN_WORDS = "; ".join(f"{name} ({known.purpose})" for name, known in PRESETS.items())


def train(
    a: Annotated[
        Path | None,
        typer.Argument(
            metavar="A",
            help="Folder of pictures of one kind; alone, a downloaded data set, or a folder with trainA and trainB.",
        ),
    ] = None,
    b: Annotated[Path | None, typer.Argument(metavar="B", help="Folder of pictures of the other kind.")] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The run's name.  [default: <A>2<B>, or the data set's name]", show_default=False),
    ] = None,
    checkpoints: Checkpoints = Path("checkpoints"),
    preset_name: Annotated[
        str, typer.Option("--preset", help=f"Settings to start from: {PRESETS_IN_WORDS}.")
    ] = "default",
    size: Annotated[int | None, typer.Option(help="Pixels, side of the training images.")] = None,
    epochs: Epochs = None,
    decay_epochs: DecayEpochs = None,
    max_steps: MaxSteps = None,
    batch_size: BatchSize = None,
    seed: Annotated[int | None, typer.Option(help="What all random choices follow from.")] = None,
    init_from: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Begin with the weights of this run or model file.")
    ] = None,
    validate: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION",
            help="Hold out so much of both folders, and keep the best model; 0: not even a data set's test pictures.",
        ),
    ] = None,
    validate_a: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Pictures of A's kind to validate with instead.")
    ] = None,
    validate_b: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Pictures of B's kind, likewise.")] = None,
    stop_on_plateau: Annotated[
        bool, typer.Option("--stop-on-plateau", help="End when validation finds nothing better any more.")
    ] = False,
    device: Device = None,
    devices: Annotated[int | None, typer.Option(help="How many, each with pairs of its own in every step.")] = None,
    scale: Annotated[
        Literal["none", "sqrt", "linear"] | None,
        typer.Option("--scale-lr", help="How the learning rate grows with the number of devices."),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None, typer.Option(help="Of the networks' arithmetic.")
    ] = None,
    compile_networks: Annotated[
        Literal["auto", "on", "off"] | None,
        typer.Option("--compile", help="The networks; auto: where it is worth the minutes it takes."),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Threads that prepare images.")] = None,
    config_file: Annotated[Path | None, typer.Option("--config", help="Settings, such as a run's config.toml.")] = None,
    assignments: Assignments = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train on two folders of pictures, or on a data set; the same command again continues where it stopped."""
    data_set = find_data_set(a) if a is not None and b is None else None
    flags: dict[str, dict[str, Any]] = {
        "data": {
            "size": size,
            "validate": validate,
            "validate_a": validate_a and os.path.realpath(validate_a),
            "validate_b": validate_b and os.path.realpath(validate_b),
            **(data_set.settings if data_set else folders_and_names(a, b)),
        },
        "schedule": {
            "epochs": epochs,
            "decay_epochs": decay_epochs,
            "max_steps": max_steps,
            "stop_on_plateau": stop_on_plateau or None,
        },
        "training": {"batch_size": batch_size, "seed": seed, "precision": precision, "init_from": init_from},
        "optimizer": {"scale": scale},
        "machine": {"device": device, "devices": devices, "workers": workers, "compile": compile_networks},
    }
    layers = [
        preset(preset_name),
        load_settings(config_file) if config_file else {},
        set_flags(flags),
        *map(parse_assignment, assignments or []),
    ]
    if data_set and preset_name != "paper" and not asked_how_to_validate(layers):
        layers.append({"data": data_set.validation})
    config = build_config(*layers)
    if not (config.data.folder_a and config.data.folder_b):
        raise missing_folders_error(a)
    name = name or (data_set.name if data_set else f"{config.data.name_a}2{config.data.name_b}")
    train_and_print(
        config, checkpoints, name, fresh=fresh, dry_run=dry_run, progress=progress, quiet=quiet, as_json=as_json
    )


def asked_how_to_validate(layers: list[Settings]) -> bool:
    """Tell whether any of the settings speaks of validation."""
    sections = [section for layer in layers if isinstance(section := layer.get("data"), dict)]
    return any(key.startswith("validate") for section in sections for key in section)


def folders_and_names(a: Path | None, b: Path | None) -> dict[str, str]:
    """Return the settings that two folders on the command line stand for; domains are named after them."""
    given = {side: Path(os.path.abspath(path)) for side, path in (("a", a), ("b", b)) if path is not None}  # noqa: PTH100
    names = {side: path.name for side, path in given.items()}
    if len(set(names.values())) < len(names):
        names = {side: f"{path.parent.name}_{path.name}_{side}" for side, path in given.items()}
    return {f"folder_{side}": os.path.realpath(path) for side, path in given.items()} | {
        f"name_{side}": names[side] for side in given
    }
