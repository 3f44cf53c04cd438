"""A program as a process of its own that has nothing left to import: it starts soon, and can be killed many times."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

import cyclegan.cli.display
import cyclegan.reports
import cyclegan.training
import cyclegan.translation  # noqa: F401 (all that a training and a translation import)
from cyclegan.cli import main

COMMAND_LINE = "from cyclegan.cli import main; main()"
STREAMS = ("output", "errors")


def context() -> ForkServerContext:
    """Return the context of processes that are forked from one that only imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def start(arguments: list[str], terminal: str = "") -> BaseProcess:
    """Start `cyclegan` with these arguments on a terminal of this path."""
    process = context().Process(target=run, args=(arguments, terminal))
    process.start()
    return process


def run(arguments: list[str], terminal: str) -> None:
    """Be the command line."""
    if terminal:
        os.setsid()  # the terminal opened next is this session's: closing it sends SIGHUP
        opened = os.open(terminal, os.O_RDWR)
        for standard in range(3):
            os.dup2(opened, standard)
    sys.argv = ["cyclegan", *arguments]
    main()


def start_code(code: str, *arguments: object, folder: Path, streams: Path) -> BaseProcess:
    """Start a program in a folder; what it says goes to files of another one."""
    streams.mkdir(exist_ok=True)
    process = context().Process(target=execute, args=(code, [*map(str, arguments)], folder, streams))
    process.start()
    return process


def execute(code: str, arguments: list[str], folder: Path, streams: Path) -> None:
    """Be the program."""
    for standard, name in enumerate(STREAMS, 1):
        os.dup2(os.open(streams / name, os.O_RDWR | os.O_CREAT), standard)
    os.chdir(folder)
    sys.argv = ["cyclegan", *arguments]
    exec(code, {"__name__": "__main__"})


def end_of(process: BaseProcess, streams: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a program and return how it ended and what it said."""
    process.join(timeout)
    process.kill()  # if it has not ended by itself
    process.join()
    said = [(streams / name).read_text(encoding="utf-8") for name in STREAMS]
    return subprocess.CompletedProcess(process.name, process.exitcode, *said)


def run_code(code: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder."""
    with TemporaryDirectory() as streams:
        return end_of(start_code(code, *arguments, folder=folder, streams=Path(streams)), Path(streams))
