"""`cyclegan export`."""

from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli.console import Quiet, say
from cyclegan.errors import printable


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name under checkpoints/.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The model file to write.")],
    unaveraged: Annotated[
        bool, typer.Option("--unaveraged", help="The generators as they were at the last step, not their averages.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a run's model to a file of its own, which `translate --model FILE` reads."""
    from cyclegan.runs import find_model, find_run, load_model, save_model, unaveraged_model

    found = find_run(run)
    save_model(output, *(unaveraged_model(found) if unaveraged else load_model(find_model(found.folder))))
    if not quiet:
        say(f"Written: {printable(output)}")
