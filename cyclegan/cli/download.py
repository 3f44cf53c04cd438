"""`cyclegan download`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cyclegan.cli.console import Json, Quiet, progress_style, say, say_json, tell, terminal
from cyclegan.cli.datasets import DATASETS
from cyclegan.errors import ConfigError, printable

if TYPE_CHECKING:
    from cyclegan.data.installing import Installed, Watchers
    from cyclegan.data.sets import DataSet

TENTHS = 10  # plain lines of progress in a download


def download(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which data set.")] = None,
    list_sets: Annotated[
        bool, typer.Option("--list", help="Name the known data sets, their sizes and licences.")
    ] = False,
    source: Annotated[
        str, typer.Option("--from", metavar="URL|FILE", help="Where its zip archive is; NAME may then be your own.")
    ] = "",
    folder: Annotated[Path, typer.Option(help="Where data sets are kept.")] = DATASETS,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download a data set, check it and unpack it; the same command again continues where it stopped."""
    from cyclegan.data.sets import find_set, known_sets

    if list_sets:
        report_sets(list(known_sets().values()), quiet=quiet, as_json=as_json)
        return
    if name is None:
        raise ConfigError("no data set is named.", "cyclegan download --list names the known ones.")
    data_set = find_set(name, elsewhere=bool(source))
    from cyclegan.data.installing import install

    try:
        with watching(data_set.name, quiet=quiet) as watchers:
            installed = install(data_set, folder, source=source, watchers=watchers)
    except KeyboardInterrupt:
        tell("Interrupted; what came is kept. The same command continues.", quiet=quiet)
        raise
    report_installed(data_set, installed, quiet=quiet, as_json=as_json)


def report_sets(data_sets: list["DataSet"], *, quiet: bool, as_json: bool) -> None:
    """Print what is known of the data sets."""
    if as_json:
        say_json([asdict(data_set) for data_set in data_sets])
    elif not quiet:
        width = max(len(data_set.name) for data_set in data_sets)
        for data_set in data_sets:
            size = in_bytes(data_set.size) if data_set.size else "unknown"
            say(f"{data_set.name:<{width}}  {size:>8}  {data_set.licence}")


def report_installed(data_set: "DataSet", installed: "Installed", *, quiet: bool, as_json: bool) -> None:
    """Print where a data set is, what is in it, and how to train on it."""
    from cyclegan.data.folders import find_domains

    if as_json:
        say_json({"folder": str(installed.folder), "pictures": installed.pictures, "new": installed.new})
    elif not quiet:
        here = printable(installed.folder)
        counts = ", ".join(f"{count:,} in {printable(place)}" for place, count in sorted(installed.pictures.items()))
        say(f"{'Downloaded' if installed.new else 'There already'}: {here} ({counts}). Licence: {data_set.licence}.")
        if find_domains(installed.folder):
            usual = installed.folder == DATASETS / data_set.name
            say(f"Train on it with: cyclegan train {data_set.name if usual else here}")


def in_bytes(count: int) -> str:
    """Return a number of bytes as `116.9 MB`."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


@contextmanager
def watching(name: str, *, quiet: bool) -> Iterator["Watchers"]:
    """Show how far a download is: a bar on a terminal, a line for every tenth elsewhere."""
    from cyclegan.data.installing import NOBODY, Watchers

    if quiet:
        yield NOBODY
    elif progress_style("auto") == "bar":
        with bars() as show:
            yield Watchers(lambda here, total: show(name, here, total), lambda n, total: show("unpacking", n, total))
    else:
        yield Watchers(on_bytes=tenths(name))


def tenths(name: str) -> Callable[[int, int | None], None]:
    """Return an observer of bytes that writes a line whenever another tenth is there."""
    told = -1

    def on_bytes(here: int, total: int | None) -> None:
        nonlocal told
        if total and (now := here * TENTHS // total) > told:
            told = now
            tell(f"{name}: {in_bytes(here)} of {in_bytes(total)}")

    return on_bytes


@contextmanager
def bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function that shows one bar for each thing it is told of."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns: Any = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, TimeRemainingColumn(), console=terminal(), transient=True) as progress:

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield show
