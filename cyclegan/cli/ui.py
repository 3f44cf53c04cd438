"""`cyclegan ui`."""

import os
import signal
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli.console import Console, Json, Quiet


def ui(
    model: Annotated[
        Path | None,
        typer.Option(
            help="A run's folder or name, or a model file, that is offered first.  [default: the newest run]",
            show_default=False,
        ),
    ] = None,
    checkpoints: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("checkpoints"),
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="0: any free port.  [default: 7860, or the next free one]",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but this machine's own lets others in.")] = (
        "127.0.0.1"
    ),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Serve a local web page that translates pictures.

    It also trains, and shows the progress of runs.
    """
    from cyclegan.checkpoints.find import find_model
    from cyclegan.cli.datasets import DATASETS
    from cyclegan.devices import choose_device
    from cyclegan.web import ServerSettings, serve

    console = Console(quiet=quiet, as_json=as_json)

    def show(address: str) -> None:
        console.result({"address": address}, address)
        console.tell("Press Ctrl-C to stop.")
        if open_:
            webbrowser.open(address)

    settings = ServerSettings(
        checkpoints=checkpoints,
        datasets=DATASETS,
        model=find_model(model, checkpoints) if model else None,
        device=str(choose_device(device)),
        host=host,
        port=port,
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell made the process ignore Ctrl-C
        signal.signal(number, signal.default_int_handler)
    try:
        serve(settings, show)
    except KeyboardInterrupt:
        os._exit(130)  # without waiting for a translation whose result nobody gets
