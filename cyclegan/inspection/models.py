"""Models and runs: what they are, from the headers of their files and from what else is small."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan.checkpoints.model_file import ModelInfo, described
from cyclegan.checkpoints.runs import Run, read_metrics, states
from cyclegan.config import Config, changed_settings
from cyclegan.errors import ModelFileError, printable
from cyclegan.inspection.findings import Finding
from cyclegan.losses import LOSS_NAMES
from cyclegan.reports.diagnosis import findings_of, verdict_of

NETWORKS = ("a2b", "b2a", "disc_a", "disc_b")
LONGEST_HEADER = 100_000_000  # bytes; what the safetensors library itself accepts


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of its tensors before they come."""

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    promised: int  # bytes of the whole file
    there: int  # bytes


@dataclass(frozen=True)
class ModelReport:
    """What a model file says of itself."""

    path: str
    info: ModelInfo
    directions: list[str]
    parameters: dict[str, int]  # of each network
    bytes: int
    findings: list[Finding]


@dataclass(frozen=True)
class RunReport:
    """How far a run is, and what there is in its folder."""

    folder: str
    domain_a: str
    domain_b: str
    settings: dict[str, Any]  # those that are not the default's
    step: int
    epoch: int
    epochs: int  # in all
    max_steps: int  # 0: as the epochs say
    losses: dict[str, float | None]  # the last; none where they are no numbers any more
    verdict: str  # the doctor's; fine, watch, stop, or nothing where it has not examined yet
    states: list[str]
    models: list[ModelReport]
    findings: list[Finding]


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, whether or not its tensors are whole."""
    there = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if 2 <= length <= min(LONGEST_HEADER, there) else b""
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        shapes = {str(name): tuple(map(int, entry["shape"])) for name, entry in entries.items()}
        if not all(len(shape) < 9 and all(0 <= side < 2**48 for side in shape) for shape in shapes.values()):
            raise ValueError("shapes that no tensor has")
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        return Header({str(key): str(value) for key, value in metadata.items()}, shapes, 8 + length + end, there)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelFileError(
            f"{printable(path)} is no safetensors file, or cut off within its header.",
            "Name a run's folder or its model.safetensors; .pth files become one with `cyclegan import`.",
        ) from error


def inspect_model(path: Path) -> ModelReport:
    """Say what a model file is, from its header alone."""
    header = read_header(path)
    if "facts" in header.metadata:
        raise ModelFileError(f"{printable(path)} is a state of a run, not a model.", "Inspect the run's folder.")
    parameters = parameters_of(header.shapes)
    return ModelReport(
        path=str(path),
        info=described(path, header.metadata),
        directions=[name for name in ("a2b", "b2a") if name in parameters],
        parameters=parameters,
        bytes=header.there,
        findings=cut_off(path, header, "Copy it again from where it is whole, or train again."),
    )


def parameters_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Return how many numbers there are in each network."""
    totals = {
        network: sum(math.prod(shape) for name, shape in shapes.items() if name.startswith(f"{network}."))
        for network in NETWORKS
    }
    return {network: total for network, total in totals.items() if total}


def cut_off(path: Path, header: Header, suggestion: str) -> list[Finding]:
    """Find that a file is not as long as its header promises."""
    if header.there == header.promised:
        return []
    wrong = f"{printable(path)} is damaged: it has {header.there:,} bytes, and its header promises {header.promised:,}."
    return [Finding("damaged file", wrong, suggestion, files=[[str(path)]])]


def inspect_run(run: Run) -> RunReport:
    """Say what a run is and how far it has come."""
    config, metrics = run.load_config(), read_metrics(run)
    last = metrics[-1] if metrics else {}
    losses = {
        name: value if math.isfinite(value) else None
        for name, value in last.items()
        if name in LOSS_NAMES and isinstance(value, float)
    }
    epoch = last.get("epoch")
    models, damaged = [], []
    for path in (run.model, run.best):
        if path.is_file():
            try:
                models.append(inspect_model(path))
            except ModelFileError as error:
                damaged.append(Finding("damaged file", str(error), error.hint, files=[[str(path)]]))
    return RunReport(
        folder=str(run.folder),
        domain_a=config.data.name_a,
        domain_b=config.data.name_b,
        settings=changed_settings(config),
        step=last.get("step", 0),
        epoch=epoch if isinstance(epoch, int) else 0,
        epochs=config.schedule.epochs + config.schedule.decay_epochs,
        max_steps=config.schedule.max_steps,
        losses=losses,
        verdict=verdict_of(last),
        states=[path.name for path in states(run)],
        models=models,
        findings=[*damaged, *what_is_wrong(run, config, losses), *remarks_of(last)],
    )


def remarks_of(line: dict[str, Any]) -> list[Finding]:
    """Return what the doctor found in a line of the metrics."""
    return [
        Finding(found["name"], printable(f"{found['verdict']}: {found['reason']}"), printable(found["suggestion"]))
        for found in findings_of(line)
    ]


def what_is_wrong(run: Run, config: Config, losses: Mapping[str, float | None]) -> list[Finding]:
    """Find what keeps a run from going on or being used."""
    findings = []
    name = printable(run.folder)
    if not run.model.is_file():
        findings.append(
            Finding("no model", f"{name} holds no model yet.", "A run saves one every few minutes: wait, or train it.")
        )
    if lost := [loss for loss, value in losses.items() if value is None]:
        findings.append(
            Finding("lost", f"{', '.join(lost)} of {name} are no numbers any more.", "Start again with --fresh.")
        )
    if run.model.is_file() and not states(run):
        findings.append(
            Finding("no state", f"{name} holds no state, so it cannot be continued.", "Use its model as --init-from.")
        )
    for path in states(run):
        try:
            findings += cut_off(path, read_header(path), "Delete it: a continuation uses the one before.")
        except ModelFileError as error:
            findings.append(Finding("damaged file", str(error), "Delete it: a continuation uses the one before."))
    findings += [
        Finding(
            "no pictures", f"the pictures of {name} are no longer in {printable(place)}.", "Put them back to continue."
        )
        for place in (config.data.folder_a, config.data.folder_b)
        if not Path(place).is_dir()
    ]
    return findings
