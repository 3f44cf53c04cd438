"""Models and runs, from the headers of their files and from other small files."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan.checkpoints.model_file import ModelInfo, described
from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.checkpoints.states import states
from cyclegan.config import Config, changed_settings
from cyclegan.directions import DIRECTIONS
from cyclegan.errors import ModelFileError
from cyclegan.inspection.findings import Finding
from cyclegan.losses import LOSS_NAMES
from cyclegan.reports.diagnosis import findings_of, verdict_of
from cyclegan.text import printable

NETWORKS = ("a2b", "b2a", "disc_a", "disc_b")
MAX_SAFETENSORS_HEADER_BYTES = 100_000_000  # limit of the safetensors library


@dataclass(frozen=True)
class SafetensorsHeader:
    """The header of a safetensors file."""

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    expected_bytes: int  # of the complete file
    actual_bytes: int


@dataclass(frozen=True)
class ModelReport:
    """Facts and findings about a model file."""

    path: str
    info: ModelInfo
    directions: list[str]
    parameters: dict[str, int]  # of each network
    bytes: int
    findings: list[Finding]


@dataclass(frozen=True)
class RunReport:
    """The progress of a run, and the files in its folder."""

    folder: str
    domain_a: str
    domain_b: str
    settings: dict[str, Any]  # that differ from the defaults
    step: int
    epoch: int
    epochs: int | None  # in all; None: as many as fit into a time
    max_steps: int | None  # None: as the epochs say
    losses: dict[str, float | None]  # of the last line; None where not finite
    verdict: str  # fine, watch, stop, or empty before the first diagnosis
    states: list[str]
    models: list[ModelReport]
    findings: list[Finding]


def read_safetensors_header(path: Path) -> SafetensorsHeader:
    """Read the header of a safetensors file, whether or not the tensors are complete."""
    actual_bytes = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if 2 <= length <= min(MAX_SAFETENSORS_HEADER_BYTES, actual_bytes) else b""
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", {})
        shapes = {str(name): tuple(map(int, entry["shape"])) for name, entry in entries.items()}
        if not all(len(shape) < 9 and all(0 <= side < 2**48 for side in shape) for shape in shapes.values()):
            raise ValueError("impossible shapes")
        end = max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        return SafetensorsHeader(
            {str(key): str(value) for key, value in metadata.items()}, shapes, 8 + length + end, actual_bytes
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelFileError(
            f"{printable(path)} is no safetensors file, or truncated within its header.",
            "Name a run's folder or its model.safetensors; .pth files become one with `cyclegan import`.",
        ) from error


def inspect_model(path: Path) -> ModelReport:
    """Inspect a model file by its header alone."""
    header = read_safetensors_header(path)
    if "facts" in header.metadata:
        raise ModelFileError(f"{printable(path)} is a state of a run, not a model.", "Inspect the run's folder.")
    parameters = parameters_of(header.shapes)
    return ModelReport(
        path=str(path),
        info=described(path, header.metadata),
        directions=[name for name, *_ in DIRECTIONS if name in parameters],
        parameters=parameters,
        bytes=header.actual_bytes,
        findings=find_truncation(path, header, "Copy it again from its origin, or train again."),
    )


def parameters_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Return the number of parameters of each network."""
    totals = {
        network: sum(math.prod(shape) for name, shape in shapes.items() if name.startswith(f"{network}."))
        for network in NETWORKS
    }
    return {network: total for network, total in totals.items() if total}


def find_truncation(path: Path, header: SafetensorsHeader, suggestion: str) -> list[Finding]:
    """Return a finding if the size of a file differs from its header."""
    if header.actual_bytes == header.expected_bytes:
        return []
    sizes = f"it has {header.actual_bytes:,} bytes instead of {header.expected_bytes:,}"
    message = f"{printable(path)} is damaged: {sizes}."
    return [Finding("damaged file", message, suggestion, files=[[str(path)]])]


def inspect_run(run: Run) -> RunReport:
    """Inspect a run."""
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
        epochs=config.epochs,
        max_steps=None if config.schedule.max_steps == "none" else config.schedule.max_steps,
        losses=losses,
        verdict=verdict_of(last),
        states=[path.name for path in states(run)],
        models=models,
        findings=[*damaged, *run_findings(run, config, losses), *diagnosed_findings(last)],
    )


def diagnosed_findings(line: dict[str, Any]) -> list[Finding]:
    """Return the findings of the diagnostics in a line of the metrics."""
    return [
        Finding(
            finding["name"],
            printable(f"{finding['verdict']}: {finding['reason']}"),
            printable(finding["suggestion"]),
        )
        for finding in findings_of(line)
    ]


def run_findings(run: Run, config: Config, losses: Mapping[str, float | None]) -> list[Finding]:
    """Return the problems of continuing or using a run."""
    findings = []
    name = printable(run.folder)
    if not run.model.is_file():
        findings.append(
            Finding(
                "no model", f"{name} holds no model yet.", "Training saves one every few minutes: wait, or continue it."
            )
        )
    if not_finite := [loss for loss, value in losses.items() if value is None]:
        findings.append(
            Finding("not finite", f"{', '.join(not_finite)} of {name} are not finite.", "Start again with --fresh.")
        )
    if run.model.is_file() and not states(run):
        findings.append(
            Finding("no state", f"{name} holds no state, so it cannot be continued.", "Use its model as --init-from.")
        )
    for path in states(run):
        try:
            findings += find_truncation(
                path, read_safetensors_header(path), "Delete it: a continuation uses the one before."
            )
        except ModelFileError as error:
            findings.append(Finding("damaged file", str(error), "Delete it: a continuation uses the one before."))
    findings += [
        Finding(
            "no pictures",
            f"the pictures of {name} are no longer in {printable(folder)}.",
            "To continue, put them back, or train with the folder in which they are now.",
        )
        for folder in (config.data.folder_a, config.data.folder_b)
        if not Path(folder).is_dir()
    ]
    return findings
