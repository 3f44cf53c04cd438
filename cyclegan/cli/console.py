"""Output for people: lines, progress bars and error messages."""

import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import Annotated, Any, Literal, TextIO

import typer

from cyclegan.errors import CycleganError
from cyclegan.text import printable

OUTPUT = "Output"  # group of options in --help

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only errors, and JSON with --json.", rich_help_panel=OUTPUT)
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.", rich_help_panel=OUTPUT)]
ProgressStyle = Literal["auto", "bar", "plain", "none"]
Progress = Annotated[
    ProgressStyle,
    typer.Option(
        help="auto: a bar on a terminal, plain lines in notebooks and files. Messages are always printed.",
        rich_help_panel=OUTPUT,
    ),
]

PLAIN_LINE_SECONDS = 30  # between two plain lines of progress
NOTEBOOKS = ("JPY_PARENT_PID", "COLAB_RELEASE_TAG", "COLAB_GPU", "KAGGLE_KERNEL_RUN_TYPE", "DATABRICKS_RUNTIME_VERSION")


def progress_style(style: ProgressStyle) -> ProgressStyle:
    """Return `bar`, `plain` or `none`; `auto` depends on standard error."""
    if style != "auto":
        return style
    return "bar" if sys.stderr.isatty() and not ("ipykernel" in sys.modules or keeps_every_line()) else "plain"


def keeps_every_line() -> bool:
    """Tell whether every update of a bar would stay visible, as in notebooks and dumb terminals."""
    return any(name in os.environ for name in NOTEBOOKS) or os.environ.get("TERM") in ("dumb", "unknown")


@contextmanager
def private_stderr() -> Iterator[None]:
    """Keep standard error for Python's messages; what C libraries write to file descriptor 2 is dropped meanwhile.

    libtiff, libpng or x265 print to the descriptor itself, control characters of file names included. It belongs to the
    whole process, so it is changed once, before there are threads, and not around each decoder.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # closed by the shell; no file that is opened may get this number
        os.open(os.devnull, os.O_WRONLY)
        yield
        return
    python_stderr = sys.stderr
    if uses_descriptor_2(python_stderr):  # else it is a stream of its own, as in tests
        own = os.fdopen(os.dup(2), "w", encoding=python_stderr.encoding)  # the variable keeps it open
        sys.stderr = own
        faulthandler.enable(own)  # a crash still prints its stack
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        faulthandler.disable()
        sys.stderr = python_stderr
        os.dup2(terminal, 2)
        os.close(terminal)


def share_stderr() -> None:
    """Restore file descriptor 2 for child processes."""
    with suppress(OSError, ValueError):
        os.dup2(sys.stderr.fileno(), 2)


def uses_descriptor_2(stream: TextIO | None) -> bool:
    """Tell whether a stream writes to file descriptor 2."""
    try:
        return stream is not None and stream.fileno() == 2
    except (OSError, ValueError):  # it has no descriptor, or is closed
        return False


@dataclass(frozen=True)
class Console:
    """What a command prints, as its options `--progress`, `--quiet` and `--json` say."""

    progress: ProgressStyle = "auto"
    quiet: bool = False
    as_json: bool = False

    def tell(self, line: str) -> None:
        """Print a message on standard error."""
        tell(line, quiet=self.quiet)

    def note(self, text: str) -> None:
        """Print a message that begins with the program's name, as errors do."""
        self.tell(f"cyclegan: {text}")

    def result(self, facts: Any, text: str) -> None:
        """Print the result on standard output: the facts as one line of JSON, or the text."""
        if self.as_json:
            say(json.dumps(facts))
        elif not self.quiet:
            say(text)

    @contextmanager
    def tell_if_slow(self, line: str, *, seconds: float = 1.0) -> Iterator[None]:
        """Print a message on standard error if the block takes longer than so many seconds."""
        timer = Timer(seconds, self.tell, [line])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def counting(self, label: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar that advances by one at each call; where there is no terminal, a line now and then."""
        style = progress_style(self.progress)
        if self.quiet or style == "none":
            yield lambda: None
            return
        if style == "plain":
            yield plain_count(label, total)
            return
        from rich import progress as rich

        columns = (
            rich.TextColumn("{task.description}", markup=False),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TimeRemainingColumn(),
        )
        with rich.Progress(*columns, console=terminal(), transient=True) as bar:
            task = bar.add_task(label, total=total)
            yield lambda: bar.advance(task)


def say(line: str) -> None:
    """Print a result, as it is, on standard output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(line: str, *, quiet: bool = False) -> None:
    """Print a message on standard error."""
    if not quiet:
        with suppress(OSError):  # a closed terminal is no reason to stop
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def complain(error: CycleganError) -> None:
    """Print an error and its hint."""
    tell(" ".join(part for part in (f"cyclegan: {_one_line(str(error))}", _one_line(error.hint)) if part))


def table(rows: list[tuple[str, str]]) -> str:
    """Return two aligned columns."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def terminal() -> Any:
    """Return rich's console on standard error."""
    from rich.console import Console

    return Console(stderr=True, force_terminal=True)


def plain_count(label: str, total: int) -> Callable[[], None]:
    """Return a function that counts its calls, and prints a line every half minute."""
    done, printed = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, printed
        done += 1
        if time.monotonic() - printed >= PLAIN_LINE_SECONDS:
            printed = time.monotonic()
            tell(f"{label}: {done:,} of {total:,}")

    return advance


@contextmanager
def interruptible(unit: str = "step, saving everything", *, quiet: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether a signal asked to stop. A second Ctrl-C stops at once.

    A signal that was ignored when the program started stays ignored, as `nohup` and shells ask for.
    """
    interrupted = False

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal interrupted
        if interrupted:
            if number == signal.SIGINT:  # a terminal that closes sends its signal twice
                raise KeyboardInterrupt
            return
        interrupted = True
        tell(f"\nStopping after this {unit}. Press Ctrl-C again to stop at once.", quiet=quiet)

    before = {number: signal.signal(number, on_signal) for number in stopping_signals()}
    try:
        yield lambda: interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopping_signals() -> list[signal.Signals]:
    """Return the signals that ask a program to stop, except those it was started to ignore."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # each where there is one
    numbers = [number for name in names if (number := getattr(signal, name, None))]
    return [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]


def _one_line(text: str) -> str:
    return printable(text.replace("\n", " "))
