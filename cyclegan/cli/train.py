"""`cyclegan train`."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from cyclegan.cli import options
from cyclegan.cli.console import Console, Json, Progress, Quiet
from cyclegan.cli.datasets import LocalDataSet, find_data_set, missing_folders_error
from cyclegan.cli.hours import choose_for_time
from cyclegan.cli.run_training import train_and_print
from cyclegan.config import Config, Settings, build_config, is_set, load_settings, parse_assignment, preset
from cyclegan.errors import UsageError

VALIDATION_KEYS = ("validate", "validate_a", "validate_b")
EXAMPLES = (
    "cyclegan train horses/ zebras/",
    "cyclegan train horses/ zebras/ --hours 3      as well as it can in this time",
    "cyclegan train horses/ zebras/ --name small --size 128 --epochs 50 --decay-epochs 50",
    "cyclegan train horses/ zebras/ --validate 0.1 --stop-on-plateau",
    "cyclegan train labels/ streets/ --paired      pictures of the same name are pairs",
)


def train(
    a: options.FolderA = None,
    b: options.FolderB = None,
    paired: options.Paired = None,
    aligned: options.Aligned = None,
    validate: options.Validate = None,
    validate_a: options.ValidateA = None,
    validate_b: options.ValidateB = None,
    size: options.Size = None,
    epochs: options.Epochs = None,
    decay_epochs: options.DecayEpochs = None,
    max_steps: options.MaxSteps = None,
    hours: options.Hours = None,
    minutes: options.Minutes = None,
    batch_size: options.BatchSize = None,
    stop_on_plateau: options.StopOnPlateau = None,
    seed: options.Seed = None,
    init_from: options.InitFrom = None,
    precision: options.Precision = None,
    compile_networks: options.Compile = None,
    device: options.Device = None,
    devices: options.Devices = None,
    scale_lr: options.ScaleLR = None,
    workers: options.Workers = None,
    preset_name: options.PresetName = "default",
    config_file: options.ConfigFile = None,
    assignments: options.Assignments = None,
    name: options.RunName = None,
    checkpoints: options.Checkpoints = Path("checkpoints"),
    fresh: options.Fresh = False,
    dry_run: options.DryRun = False,
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a model on two folders of pictures.

    The same command continues an interrupted run.
    """
    started, console = time.perf_counter(), Console(progress, quiet, as_json)
    flags = options.settings_of(locals())
    data_set = find_data_set(a) if a is not None and b is None and not aligned else None
    folders = data_set.settings if data_set else folders_and_names(a, b, aligned=bool(aligned))
    from_file = load_settings(config_file) if config_file else {}
    layers = [preset(preset_name), from_file, {"data": folders}, flags, *map(parse_assignment, assignments or [])]
    layers += validation_layer(data_set, layers) if preset_name != "paper" else []
    config = build_config(*layers)
    if config.data.aligned and b is not None:
        raise UsageError("--aligned is for one folder, whose pictures hold A and B.", "Leave out one of the two.")
    if not (config.data.folder_a and config.data.folder_b):
        raise missing_folders_error(a)
    name = name or (data_set.name if data_set else default_name(config))
    # Settings of a file say how long to train, and not to choose the networks: --hours and --minutes do.
    if (hours is not None or minutes is not None) and preset_name != "paper":
        config = build_config(*choose_for_time(config, layers, checkpoints / name, console, fresh=fresh), *layers)
    train_and_print(config, checkpoints, name, console, fresh=fresh, dry_run=dry_run, started=started)


def default_name(config: Config) -> str:
    """Return the name of a run: after its one folder, or after both domains."""
    data = config.data
    return Path(data.folder_a).name if data.aligned else f"{data.name_a}2{data.name_b}"


def validation_layer(data_set: LocalDataSet | None, layers: Sequence[Settings]) -> list[Settings]:
    """Return the setting that validates with a data set's test pictures, unless the layers say how to validate."""
    if data_set is None or any(is_set(layers, "data", key) for key in VALIDATION_KEYS):
        return []
    return [{"data": data_set.validation}]


def folders_and_names(a: Path | None, b: Path | None, *, aligned: bool) -> dict[str, str]:
    """Return the settings of two folders; domains are named after them. Those of one `aligned` folder are A and B."""
    if aligned and a is not None:
        return {"folder_a": os.path.realpath(a)}
    # Not `resolve`: a domain is named after a link, not after its target.
    paths = {domain: Path(os.path.abspath(path)) for domain, path in (("a", a), ("b", b)) if path is not None}  # noqa: PTH100
    names = {domain: path.name for domain, path in paths.items()}
    if len(set(names.values())) < len(names):
        names = {domain: f"{path.parent.name}_{path.name}_{domain}" for domain, path in paths.items()}
    folders = {f"folder_{domain}": os.path.realpath(path) for domain, path in paths.items()}
    return folders | {f"name_{domain}": name for domain, name in names.items()}
