"""Runs `cyclegan` in processes that have nothing left to import, alone or under strace."""

import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import TextIO

import torch

# All that the commands import, so that a process opens no file but its own and those of the user.
import cyclegan.cli.display
import cyclegan.cli.run_training
import cyclegan.data.installing
import cyclegan.export
import cyclegan.reports
import cyclegan.training
import cyclegan.translation  # noqa: F401
from cyclegan.cli import main
from cyclegan.text import printable

PROCESSES = 2
UNFINISHED = ".cyclegan-"  # begins the names of files and folders that are still being written


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str  # on standard output and standard error

    @property
    def failure(self) -> str:
        """What is wrong with it if it should have ended without an error; empty if nothing is."""
        said = printable(self.output[-300:])
        return f"exit status {self.status}: {said}" if self.status or "damaged" in self.output else ""


def has_strace() -> bool:
    """Tell whether strace is installed."""
    return shutil.which("strace") is not None


def fresh_processes() -> Pool:
    """Return a pool in which every task has a new process, forked from one that only imports."""
    return forking().Pool(PROCESSES, maxtasksperchild=1)


def forking() -> ForkServerContext:
    """Return the context of processes that are forked from one that only imports."""
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "scripts.reliability.prepared"])  # else each process would import it
    return context


def start_program(arguments: Sequence[str], folder: Path, log: Path, outputs: int = 0) -> BaseProcess:
    """Start `cyclegan` as a process that may be killed; what it says is in `log` once it has ended by itself.

    With a number of `outputs` it gets SIGTERM once there are so many files in the folder.
    """
    process = forking().Process(target=_run_and_log, args=(arguments, folder, log, outputs))
    process.start()
    return process


def _run_and_log(arguments: Sequence[str], folder: Path, log: Path, outputs: int) -> None:
    if outputs:
        Thread(target=_terminate_at, args=(folder, outputs), daemon=True).start()
    with log.open("w", encoding="utf-8") as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)  # of the processes that it starts
        status = run_and_write(arguments, folder, file)
    sys.exit(status)


def _terminate_at(folder: Path, outputs: int) -> None:
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL or len(finished_files(folder)) < outputs:
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGTERM)


def finished_files(folder: Path) -> list[Path]:
    """Return the files under their final names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if UNFINISHED not in path.relative_to(folder).as_posix()]


def run_program(arguments: Sequence[str], folder: Path, strace: Sequence[str] = ()) -> Ended:
    """Run `cyclegan` with these arguments in a folder, under strace with these options; call it once in a process."""
    output = io.StringIO()
    status = run_and_write(arguments, folder, output, strace)
    return Ended(status, output.getvalue())


def run_and_write(arguments: Sequence[str], folder: Path, output: TextIO, strace: Sequence[str] = ()) -> int:
    """Do as `run_program` does, writing what the program says, and return its exit status.

    Into a file go also the messages of the processes that it starts.
    """
    torch.set_num_threads(1)
    os.chdir(folder)
    sys.argv = ["cyclegan", *arguments]
    with redirect_stdout(output), redirect_stderr(output), traced(strace) if strace else nullcontext():
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


@contextmanager
def traced(options: Sequence[str]) -> Iterator[None]:
    """Let strace follow this process and its threads."""
    command = ["strace", "-f", "-p", str(os.getpid()), *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        while "TracerPid:\t0\n" in Path("/proc/self/status").read_text(encoding="ascii"):
            if tracer.poll() is not None:
                raise OSError(f"strace ended with {tracer.returncode}; may this process be traced?")
            time.sleep(0.001)
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)  # it detaches
