"""`cyclegan ui`."""

import os
import signal
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli.console import Json, Quiet, say, say_json, tell


def ui(
    model: Annotated[
        Path | None,
        typer.Option(
            help="Offer this first: a run's folder or name, or a model file.  [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    checkpoints: Annotated[Path, typer.Option(help="Where runs are.")] = Path("checkpoints"),
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Listen here; 0: where it is free.  [default: 7860, or the next]",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Listen on this address; others than this machine's are for everybody.")] = (
        "127.0.0.1"
    ),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Serve a page in the browser of this machine, to redraw pictures on and to watch runs."""
    from cyclegan.checkpoints.find import find_model
    from cyclegan.devices import choose_device
    from cyclegan.web import Settings, serve

    def show(address: str) -> None:
        if as_json:
            say_json({"address": address})
        elif not quiet:
            say(address)
        tell("Ctrl-C ends it.", quiet=quiet)
        if open_:
            webbrowser.open(address)

    settings = Settings(
        checkpoints=checkpoints,
        model=find_model(model, checkpoints) if model else None,
        device=str(choose_device(device)),
        host=host,
        port=port,
    )
    for ending in (signal.SIGINT, signal.SIGTERM):  # also where a shell has us ignore Ctrl-C
        signal.signal(ending, signal.default_int_handler)
    try:
        serve(settings, show)
    except KeyboardInterrupt:
        os._exit(130)  # a picture that is being redrawn would hold it up, and nothing of it is kept
