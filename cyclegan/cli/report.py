"""`cyclegan report`."""

from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli.console import Console, Json, Quiet
from cyclegan.text import printable


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name under checkpoints/.")],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write an HTML page about a run.

    One file holds its samples, curves, health and settings.
    """
    from cyclegan.checkpoints.find import find_run
    from cyclegan.reports import write_report

    written = write_report(find_run(run))
    Console(quiet=quiet, as_json=as_json).result({"report": str(written)}, f"Report: {printable(written)}")
