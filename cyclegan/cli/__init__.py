"""The command line: parses, calls one function, prints.

Results go to standard output, progress and messages to standard error. Heavy imports wait inside the commands.
"""

import errno
import io
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

from cyclegan import __version__
from cyclegan.cli.console import complain, private_stderr, say
from cyclegan.cli.help import GroupedCommand
from cyclegan.errors import CycleganError, TrainingDivergedError, printable, report_hint

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DIVERGED, OUR_BUG, INTERRUPTED = 3, 70, 130

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
    from cyclegan.cli import demo, distill, download, evaluate, export, importing, inspect, report, train, translate, ui

    commands = (
        train.train,
        translate.translate,
        distill.distill,
        demo.demo,
        inspect.inspect,
        evaluate.evaluate,
        report.report,
        download.download,
        export.export,
        ui.ui,
    )
    for command in commands:
        examples = getattr(sys.modules[command.__module__], "EXAMPLES", None)
        app.command(cls=GroupedCommand, epilog=examples)(command)
    app.command("import")(importing.import_)  # a word that Python keeps for itself


_add_commands()


def main() -> None:
    """Run the command line; every end of it has its exit status."""
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    warnings.simplefilter("ignore")  # they speak of libraries, to developers
    logging.lastResort = logging.NullHandler()  # and so does what libraries log
    with private_stderr():
        sys.stdout, sys.stderr = (_usable(stream) for stream in (sys.stdout, sys.stderr))
        _run()


def _run() -> None:
    try:
        app()
    except CycleganError as error:
        complain(error)
        sys.exit(DIVERGED if isinstance(error, TrainingDivergedError) else 2)
    except OSError as error:
        if error.filename is None:
            _confess()
        what = f"{printable(error.filename)}: {(error.strerror or str(error)).lower()}."
        complain(CycleganError(what, "Check the path and its permissions."))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:
        _confess()


class _Output(io.FileIO):
    """A file of which nobody may be reading any more: a closed terminal or pipe is no reason to stop."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all bytes, or drop them where they reach nobody."""
        left = memoryview(data).cast("B")
        count = len(left)
        try:
            while left:
                left = left[super().write(left) or 0 :]
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE, errno.ENXIO):
                raise
        return count


def _usable(stream: TextIO | None) -> TextIO:
    """Return a stream that can be written to, whatever is in a name, and even where nobody reads it."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    if type(getattr(stream.buffer, "raw", stream.buffer)) is io.FileIO:  # not a console of Windows, nor a test's
        stream.flush()
        output: Any = _Output(
            stream.fileno(), "w", closefd=False
        )  # no buffer: a signal's message may come within another
        stream = io.TextIOWrapper(output, stream.encoding, write_through=True)
    stream.reconfigure(errors="backslashreplace")
    return stream


def _confess() -> NoReturn:
    """Say that the error being handled is ours, and where its traceback is."""
    complain(CycleganError("this is a bug of ours.", report_hint()))
    sys.exit(OUR_BUG)
