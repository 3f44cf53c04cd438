"""The command line: parses, calls one function, prints.

Results go to standard output, progress and messages to standard error. Heavy imports wait inside the commands.
"""

import errno
import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

from cyclegan import __version__
from cyclegan.cli.console import complain, private_stderr, say
from cyclegan.cli.help import GroupedCommand, examples
from cyclegan.errors import CycleganError, TrainingDivergedError, UsageError, lacks_memory, report_hint
from cyclegan.text import printable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DIVERGED, INTERNAL_ERROR, INTERRUPTED = 3, 70, 130  # exit statuses
MEMORY_HINT = "Close other programs, or choose smaller pictures, batches or networks."

app = typer.Typer(
    help="Turn pictures of one kind into another, learned from two folders of unpaired pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"cyclegan {__version__}")
        raise typer.Exit


@app.callback()
def cyclegan(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn pictures of one kind into another, learned from two folders of unpaired pictures."""


def _add_commands() -> None:
    from cyclegan.cli import (
        compare,
        demo,
        distill,
        download,
        evaluate,
        export,
        importing,
        inspect,
        rate,
        report,
        train,
        translate,
        ui,
    )

    commands = (
        train.train,
        translate.translate,
        compare.compare,
        distill.distill,
        demo.demo,
        inspect.inspect,
        evaluate.evaluate,
        rate.rate,
        report.report,
        download.download,
        export.export,
        ui.ui,
    )
    for command in commands:
        lines = getattr(sys.modules[command.__module__], "EXAMPLES", ())
        app.command(cls=GroupedCommand, epilog=examples(*lines) if lines else None)(command)
    app.command("import", cls=GroupedCommand)(importing.import_)  # a reserved word of Python


_add_commands()


def main() -> None:
    """Run the command line, and exit with a documented status."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    warnings.simplefilter("ignore")  # of libraries, for developers
    logging.lastResort = logging.NullHandler()  # the same for their log messages
    with private_stderr():
        sys.stdout, sys.stderr = (_usable(stream) for stream in (sys.stdout, sys.stderr))
        _run()


def _run() -> None:
    try:
        _check_not_empty(sys.argv[1:])
        app()
    except CycleganError as error:
        complain(error)
        sys.exit(DIVERGED if isinstance(error, TrainingDivergedError) else 2)
    except OSError as error:
        if error.filename is None:
            _exit_with_internal_error()
        message = f"{printable(error.filename)}: {(error.strerror or str(error)).lower()}."
        complain(CycleganError(message, "Check the path and its permissions."))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if not lacks_memory(error):
            _exit_with_internal_error()
        complain(CycleganError("the memory of this machine is not enough for this.", MEMORY_HINT))
        sys.exit(2)


def _check_not_empty(arguments: Sequence[str]) -> None:
    # A path of no characters is the current folder to Python: a command would go through whatever is there.
    for number, argument in enumerate(arguments, start=1):
        if not argument or (argument.startswith("--") and argument.endswith("=") and argument.count("=") == 1):
            named = printable(argument) or f"argument {number}"
            raise UsageError(
                f"{named} is empty.", "Is a variable of the shell not set? The current folder is written: ."
            )


class _Output(io.FileIO):
    """A file that drops its output when the terminal or pipe is closed, which is no reason to stop."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all bytes, or drop them if nobody reads."""
        left = memoryview(data).cast("B")
        count = len(left)
        try:
            while left:
                left = left[super().write(left) or 0 :]
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE, errno.ENXIO):
                raise OSError(error.errno, error.strerror, "the output") from error
        return count


def _usable(stream: TextIO | None) -> TextIO:
    """Return a stream that accepts any text, even if nobody reads it."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    if type(getattr(stream.buffer, "raw", stream.buffer)) is io.FileIO:  # not a console of Windows or a test
        stream.flush()
        # Without a buffer: a signal handler may print within another print.
        output: Any = _Output(stream.fileno(), "w", closefd=False)
        stream = io.TextIOWrapper(output, stream.encoding, write_through=True)
    stream.reconfigure(errors="backslashreplace")
    return stream


def _exit_with_internal_error() -> NoReturn:
    """Report the error being handled as a bug, with its traceback in a file."""
    complain(CycleganError("internal error.", report_hint()))
    sys.exit(INTERNAL_ERROR)
