"""The result of `cyclegan translate`: messages, a line or JSON, and the exit status."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cyclegan.cli.console import Console, complain
from cyclegan.cli.models import model_facts
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo
    from cyclegan.directions import DirectionName
    from cyclegan.translation import TranslateResult


def print_result(
    result: "TranslateResult", model: Path, info: "ModelInfo", direction: "DirectionName", console: Console
) -> None:
    """Print the messages, the errors and the result of a translation."""
    from cyclegan.data.folders import describe_passed_over

    for note in result.notes:
        console.note(note)
    if passed_over := describe_passed_over(result.passed_over):
        console.note(f"{passed_over} To translate pictures among them, save these as PNG, TIFF or JPEG.")
    for error in result.failed:
        complain(error)
    domain = info.domains(direction)[1]
    facts = {**model_facts(model, info, direction), "domain": domain, **result_facts(result)}
    console.result(facts, result_line(result, domain))


def result_facts(result: "TranslateResult") -> dict[str, Any]:
    """Return the result of a translation as JSON values."""
    from cyclegan.translation import displayed

    return {
        "backend": result.backend,
        "keep": result.keep,
        "written": [displayed(target.path) for target in result.done],
        "skipped": [displayed(target.path) for target in result.skipped],
        "failed": [str(error) for error in result.failed],
        "passed_over": result.passed_over,
        "notes": result.notes,
        "scores": [str(table) for table in result.tables],
    }


def result_line(result: "TranslateResult", domain: str) -> str:
    """Return the result of a translation as one line."""
    from cyclegan.translation import displayed

    folder = result.done[0].path.parent if result.done else Path()
    where = f" in {printable(displayed(folder))}" if folder != Path() else ""
    skipped = f", {len(result.skipped)} existed already" if result.skipped else ""
    failed = f", {len(result.failed)} failed" if result.failed else ""
    tables: Sequence[str] = [*map(printable, result.tables)]
    scores = f" Scores: {', '.join(tables)}." if tables else ""
    return f"{len(result.done)} translated to {printable(domain)}{where}{skipped}{failed}.{scores}"


def exit_with_status(result: "TranslateResult", *, interrupted: bool) -> None:
    """End the command with 130 after an interruption, and with 1 if some inputs failed."""
    if interrupted or result.failed:
        raise typer.Exit(130 if interrupted else 1)
