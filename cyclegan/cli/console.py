"""What a person sees: lines, progress bars and complaints."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Annotated, Any

import typer

from cyclegan.errors import CycleganError, printable

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors, and the JSON asked for.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]


PATIENCE = 30  # seconds between plain lines of progress


def say(line: str) -> None:
    """Print a result, as it is, on standard output; where nobody reads it any more, that is the end of the command."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def say_json(result: Any) -> None:
    """Print a result as one line of JSON."""
    say(json.dumps(result))


def tell(line: str, *, quiet: bool = False) -> None:
    """Print a message on standard error."""
    if not quiet:
        with suppress(OSError):  # nobody may be listening any more; that is no reason to stop
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def complain(error: CycleganError) -> None:
    """Print what is wrong and what to do."""
    tell(" ".join(part for part in (f"cyclegan: {_one_line(str(error))}", _one_line(error.hint)) if part))


def table(rows: list[tuple[str, str]]) -> str:
    """Return two aligned columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def duration(seconds: float) -> str:
    """Return a time as `1 h 05 min`, `5 min 20 s` or `20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


@contextmanager
def counting(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a bar that advances by one at each call; where there is no terminal, a line now and then."""
    if quiet:
        yield lambda: None
        return
    if not sys.stderr.isatty():
        yield plain_count(what, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def plain_count(what: str, total: int) -> Callable[[], None]:
    """Return what counts its calls, and writes a line about them every half minute."""
    done, told = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, told
        done += 1
        if time.monotonic() - told >= PATIENCE:
            told = time.monotonic()
            tell(f"{what}: {done:,} of {total:,}")

    return advance


@contextmanager
def interruptible(what: str = "step, saving everything", *, quiet: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a question: has the user, or the system, asked us to stop after this? A second Ctrl-C stops at once."""
    asked = False

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        tell(f"\nStopping after this {what}. Press Ctrl-C again to stop at once.", quiet=quiet)

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # each where there is one
    before = {number: signal.signal(number, on_signal) for name in names if (number := getattr(signal, name, None))}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _one_line(text: str) -> str:
    return printable(text.replace("\n", " "))
