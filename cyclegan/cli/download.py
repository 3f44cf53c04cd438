"""`cyclegan download`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclegan.cli.console import Console, Json, Quiet, progress_style, tell, terminal
from cyclegan.cli.datasets import DATASETS
from cyclegan.errors import UsageError
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.data.installing import InstalledSet, ProgressCallbacks
    from cyclegan.data.sets import DataSet

PLAIN_LINES = 10  # of progress, for a whole download


def download(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the data set.")] = None,
    list_sets: Annotated[
        bool, typer.Option("--list", help="List the known data sets with their sizes and licences.")
    ] = False,
    source: Annotated[
        str,
        typer.Option("--from", metavar="URL|FILE", help="URL or path of its zip archive; NAME can then be any name."),
    ] = "",
    folder: Annotated[Path, typer.Option(help="Folder of the data sets.")] = DATASETS,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download, check and unpack a data set.

    The same command again resumes an interrupted download.
    """
    from cyclegan.data.sets import find_set, known_sets

    console = Console(quiet=quiet, as_json=as_json)
    if list_sets:
        print_sets(list(known_sets().values()), console)
        return
    if name is None:
        raise UsageError("no data set is named.", "cyclegan download --list lists the known ones.")
    data_set = find_set(name, has_source=bool(source))
    from cyclegan.data.installing import install

    try:
        with download_progress(data_set.name, console) as progress:
            installed = install(data_set, folder, source=source, progress=progress)
    except KeyboardInterrupt:
        console.tell("Interrupted. The same command resumes the download.")
        raise
    print_installed(data_set, installed, console)


def print_sets(data_sets: list["DataSet"], console: Console) -> None:
    """Print the known data sets."""
    width = max(len(data_set.name) for data_set in data_sets)
    sizes = [format_bytes(data_set.size) if data_set.size else "unknown" for data_set in data_sets]
    lines = [
        f"{data_set.name:<{width}}  {size:>8}  {data_set.licence}"
        for data_set, size in zip(data_sets, sizes, strict=True)
    ]
    console.result([asdict(data_set) for data_set in data_sets], "\n".join(lines))


def print_installed(data_set: "DataSet", installed: "InstalledSet", console: Console) -> None:
    """Print the folder of a data set, its pictures, and the command that trains on it."""
    from cyclegan.data.folders import find_domains

    name = printable(installed.folder)
    counts = ", ".join(f"{count:,} in {printable(part)}" for part, count in sorted(installed.pictures.items()))
    state = "Downloaded" if installed.new else "Already downloaded"
    text = f"{state}: {name} ({counts}). Licence: {data_set.licence}."
    if find_domains(installed.folder):
        is_default = installed.folder == DATASETS / data_set.name
        text += f"\nTrain on it with: cyclegan train {data_set.name if is_default else name}"
    facts = {"folder": str(installed.folder), "pictures": installed.pictures, "new": installed.new}
    console.result(facts, text)


def format_bytes(count: int) -> str:
    """Return a number of bytes as in `116.9 MB`."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


@contextmanager
def download_progress(name: str, console: Console) -> Iterator["ProgressCallbacks"]:
    """Show the progress of a download: bars on a terminal, elsewhere a line for every tenth."""
    from cyclegan.data.installing import NO_PROGRESS, ProgressCallbacks

    if console.quiet:
        yield NO_PROGRESS
    elif progress_style(console.progress) == "bar":
        with bars() as show:
            yield ProgressCallbacks(
                on_bytes=lambda done, total: show(name, done, total),
                on_file=lambda done, total: show("unpacking", done, total),
            )
    else:
        yield ProgressCallbacks(on_bytes=plain_lines(name))


def plain_lines(name: str) -> Callable[[int, int | None], None]:
    """Return a callback that prints a line for every tenth of the bytes."""
    printed = -1

    def on_bytes(done: int, total: int | None) -> None:
        nonlocal printed
        if total and (tenth := done * PLAIN_LINES // total) > printed:
            printed = tenth
            tell(f"{name}: {format_bytes(done)} of {format_bytes(total)}")

    return on_bytes


@contextmanager
def bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function that shows one bar for each name it is called with."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns: Any = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, TimeRemainingColumn(), console=terminal(), transient=True) as progress:

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield show
