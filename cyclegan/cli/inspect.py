"""`cyclegan inspect`."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclegan.cli.console import Console, Json, Quiet, table
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.inspection import (
        Finding,
        FolderReport,
        Inspection,
        MachineReport,
        ModelReport,
        RunReport,
    )

MAX_DETAILS = 8  # printed under a finding; --json has all
GIB, MIB = 2**30, 2**20


def inspect(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH…",
            show_default=False,
            help="Folders of pictures, runs or model files; without any, this machine. Duplicates are searched in all "
            "folders together. A folder of trainA, trainB, testA and testB stands for these.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=16, help="Planned size of the training images in pixels.")] = 256,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check pictures, runs, models or this machine.

    Problems are named, each with a suggestion.
    """
    from cyclegan.inspection import classify, inspect_targets

    targets = classify(paths or [])
    console = Console(quiet=quiet, as_json=as_json)
    with console.counting("Pictures", targets.pictures) as advance:
        inspection = inspect_targets(targets, size=size, on_picture=advance)
    console.result(dataclasses.asdict(inspection), "\n\n".join(inspection_text(inspection)))


def inspection_text(inspection: "Inspection") -> Iterator[str]:
    """Yield the paragraphs of an inspection."""
    if inspection.folders:
        yield from folders_text(inspection.folders)
    for run in inspection.runs:
        yield from run_text(run)
    for model in inspection.models:
        yield table(model_rows(model))
        yield from findings_text(model.findings, "")
    if inspection.machine:
        yield from machine_text(inspection.machine)


def folders_text(report: "FolderReport") -> Iterator[str]:
    """Yield facts, findings and advice about data folders."""
    from cyclegan.data.folders import describe_passed_over

    yield table([(printable(folder.folder), folder.description) for folder in report.folders])
    for folder in report.folders:
        if description := describe_passed_over(folder.passed_over):
            yield f"{printable(folder.folder)}: {description}"
    yield from findings_text(report.findings, "No problem found in these pictures.")
    if report.advice:
        yield "\n".join(
            ["To train on them:", *(f"  {advice.options}\n    {advice.reason}" for advice in report.advice)]
        )


def findings_text(findings: Sequence["Finding"], none_text: str) -> Iterator[str]:
    """Yield each finding with its suggestion; without findings, `none_text`."""
    for finding in findings:
        lines = [f"! {finding.message}", f"  {finding.suggestion}"]
        lines += [f"    {detail}" for detail in finding.details[:MAX_DETAILS]]
        if len(finding.details) > MAX_DETAILS:
            lines.append(f"    and {len(finding.details) - MAX_DETAILS:,} more; see --json")
        yield "\n".join(lines)
    if not findings and none_text:
        yield none_text


def model_rows(model: "ModelReport") -> list[tuple[str, str]]:
    """Return facts about a model as rows of a table."""
    info, generator = model.info, model.info.generator
    names = {"a2b": (info.domain_a, info.domain_b), "b2a": (info.domain_b, info.domain_a)}
    directions = [f"{printable(names[key][0])} to {printable(names[key][1])} ({key})" for key in model.directions]
    parameters = ", ".join(f"{network} {count:,}" for network, count in model.parameters.items())
    return [
        ("model", f"{printable(model.path)}, {model.bytes / MIB:,.1f} MiB, of cyclegan {printable(info.version)}"),
        ("translates", ", ".join(directions) or "nothing: it holds no generator"),
        (
            "generators",
            f"{generator.description}, {generator.norm} norm{', dropout' * generator.dropout}",
        ),
        ("parameters", parameters or "none"),
        ("channels", f"{info.channels_a} of A, {info.channels_b} of B"),
        ("trained", f"{info.steps_text} at {info.size} pixels{', EMA weights' * bool(info.averaged)}"),
    ]


def run_text(run: "RunReport") -> Iterator[str]:
    """Yield facts and findings about a run and its models."""
    progress = f"step {run.step:,}" + (f" of at most {run.max_steps:,}" if run.max_steps else "")
    losses = "  ".join(
        f"{name} {'not finite' if value is None else f'{value:.3f}'}" for name, value in run.losses.items()
    )
    settings = ", ".join(f"{name} = {printable(value)}" for name, value in run.settings.items())
    yield table(
        [
            ("run", f"{printable(run.folder)}: {printable(run.domain_a)} and {printable(run.domain_b)}"),
            ("settings", settings or "the defaults"),
            ("trained", f"{progress}, in epoch {run.epoch}" + (f" of {run.epochs}" if run.epochs else "")),
            *([("losses", losses)] if losses else []),
            *([("health", run.verdict)] if run.verdict else []),
            ("states", ", ".join(map(printable, run.states)) or "none"),
        ]
    )
    for model in run.models:
        yield table(model_rows(model))
    yield from findings_text([*run.findings, *(finding for model in run.models for finding in model.findings)], "")


def machine_text(machine: "MachineReport") -> Iterator[str]:
    """Yield facts and findings about this machine."""
    devices = [
        (
            "device",
            f"{device.description}, {device.free / GIB:.1f} of {device.memory / GIB:.1f} GiB free; "
            f"precision auto chooses {device.precision}: {device.reason}",
        )
        for device in machine.devices
    ]
    yield table(
        [
            *devices,
            ("processors", f"{machine.processors}, torch uses {machine.threads}"),
            ("memory", f"{machine.free_memory / GIB:.1f} of {machine.memory / GIB:.1f} GiB free"),
            ("disk", f"{machine.free_disk / GIB:.1f} GiB free at {printable(machine.disk)}"),
            ("system", machine.system),
            ("versions", ", ".join(f"{name} {version}" for name, version in machine.versions.items())),
        ]
    )
    yield from findings_text(machine.findings, "No problem found on this machine.")
