"""`cyclegan inspect`."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclegan.cli.console import Json, Quiet, counting, say, say_json, table
from cyclegan.errors import printable

if TYPE_CHECKING:
    from cyclegan.inspection import (
        Finding,
        FolderReport,
        Inspection,
        MachineReport,
        ModelReport,
        PartFacts,
        RunReport,
    )

SHOWN = 8  # pictures named under a finding; --json names all
GIB, MIB = 2**30, 2**20


def inspect(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH…",
            show_default=False,
            help="Folders of pictures, runs or model files; nothing: this machine. Folders are compared with one "
            "another; one that holds trainA, trainB, testA and testB stands for these.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=16, help="Pixels, side of the training images that are planned.")] = 256,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Look over folders of pictures, a run, a model file or this machine: what is wrong, and what to do."""
    from cyclegan.inspection import inspect, sort_out

    subjects = sort_out(paths or [])
    with counting("Looking", subjects.pictures, quiet=quiet) as advance:
        inspection = inspect(subjects, size=size, on_picture=advance)
    if as_json:
        say_json(dataclasses.asdict(inspection))
    elif not quiet:
        say("\n\n".join(in_words(inspection)))


def in_words(inspection: "Inspection") -> Iterator[str]:
    """Yield the paragraphs of an inspection."""
    if inspection.folders:
        yield from folders_in_words(inspection.folders)
    for run in inspection.runs:
        yield from run_in_words(run)
    for model in inspection.models:
        yield table(model_rows(model))
        yield from findings_in_words(model.findings, "")
    if inspection.machine:
        yield from machine_in_words(inspection.machine)


def folders_in_words(report: "FolderReport") -> Iterator[str]:
    """Yield what is in the folders, what is wrong with them, and how to train on them."""
    from cyclegan.data.folders import describe_passed_over

    yield table([(printable(part.folder), part_in_words(part)) for part in report.parts])
    for part in report.parts:
        if others := describe_passed_over(part.passed_over):
            yield f"{printable(part.folder)}: {others}"
    yield from findings_in_words(report.findings, "Nothing is wrong with these pictures.")
    if report.advice:
        yield "\n".join(["To train on them:", *(f"  {one.options}\n    {one.why}" for one in report.advice)])


def part_in_words(part: "PartFacts") -> str:
    """Return what is in a folder, in a line."""
    low, middle, high = part.short_side
    words = [f"{part.pictures:,} pictures"]
    if part.pictures:
        words.append(f"short side {low}" if low == high else f"short side {low} to {high}, median {middle}")
        typical, most = part.elongation
        words.append("square" if most == 1 else f"aspect {typical:g} (at most {most:g})")
        words.append(" ".join(f"{mode} {count:,}" for mode, count in part.modes.items()))
    counts = (
        (part.grey, "grey"),
        (part.deep, "of 16 bits"),
        (part.see_through, "see-through"),
        (part.several_frames, "of several frames"),
        (part.unreadable, "unreadable"),
    )
    return ", ".join(words + [f"{count:,} {what}" for count, what in counts if count])


def findings_in_words(findings: Sequence["Finding"], otherwise: str) -> Iterator[str]:
    """Yield each thing that is wrong with what to do about it; or, if nothing is, what to say then."""
    for finding in findings:
        lines = [f"! {finding.wrong}", f"  {finding.suggestion}"]
        lines += [f"    {detail}" for detail in finding.details[:SHOWN]]
        if len(finding.details) > SHOWN:
            lines.append(f"    and {len(finding.details) - SHOWN:,} more, which --json names")
        yield "\n".join(lines)
    if not findings and otherwise:
        yield otherwise


def model_rows(model: "ModelReport") -> list[tuple[str, str]]:
    """Return what a model is, as rows of a table."""
    info, spec = model.info, model.info.generator
    names = {"a2b": (info.domain_a, info.domain_b), "b2a": (info.domain_b, info.domain_a)}
    ways = [f"{printable(names[way][0])} to {printable(names[way][1])} ({way})" for way in model.directions]
    built = f"U-Net, depth {spec.depth}" if spec.architecture == "unet" else f"ResNet, residual blocks: {spec.blocks}"
    parameters = ", ".join(f"{network} {count:,}" for network, count in model.parameters.items())
    return [
        ("model", f"{printable(model.path)}, {model.bytes / MIB:,.1f} MiB, of cyclegan {printable(info.version)}"),
        ("translates", ", ".join(ways) or "nothing: it holds no generator"),
        ("generators", f"{built}, width {spec.width}, {spec.norm} norm{', dropout' * spec.dropout}"),
        ("parameters", parameters or "none"),
        ("channels", f"{info.channels_a} of A, {info.channels_b} of B"),
        ("trained", f"{info.steps:,} steps at {info.size} pixels{', weights averaged' * bool(info.averaged)}"),
    ]


def run_in_words(run: "RunReport") -> Iterator[str]:
    """Yield what a run is, how far it has come, its models, and what is wrong."""
    goal = f"step {run.step:,}" + (f" of at most {run.max_steps:,}" if run.max_steps else "")
    losses = "  ".join(f"{name} {'lost' if value is None else f'{value:.3f}'}" for name, value in run.losses.items())
    settings = ", ".join(f"{name} = {printable(value)}" for name, value in run.settings.items())
    yield table(
        [
            ("run", f"{printable(run.folder)}: {printable(run.domain_a)} and {printable(run.domain_b)}"),
            ("settings", settings or "the defaults"),
            ("trained", f"{goal}, in epoch {run.epoch} of {run.epochs}"),
            *([("losses", losses)] if losses else []),
            *([("health", run.verdict)] if run.verdict else []),
            ("states", ", ".join(map(printable, run.states)) or "none"),
        ]
    )
    for model in run.models:
        yield table(model_rows(model))
    yield from findings_in_words([*run.findings, *(one for model in run.models for one in model.findings)], "")


def machine_in_words(machine: "MachineReport") -> Iterator[str]:
    """Yield what this machine is, and what is wrong."""
    devices = [
        (
            "device",
            f"{device.description}, {device.free / GIB:.1f} of {device.memory / GIB:.1f} GiB free; "
            f"precision auto takes {device.precision}: {device.why}",
        )
        for device in machine.devices
    ]
    yield table(
        [
            *devices,
            ("processors", f"{machine.processors}, of which torch uses {machine.threads}"),
            ("memory", f"{machine.free_memory / GIB:.1f} of {machine.memory / GIB:.1f} GiB free"),
            ("disk", f"{machine.free_disk / GIB:.1f} GiB free at {printable(machine.disk)}"),
            ("system", machine.system),
            ("versions", ", ".join(f"{name} {version}" for name, version in machine.versions.items())),
        ]
    )
    yield from findings_in_words(machine.findings, "Nothing is wrong with this machine.")
