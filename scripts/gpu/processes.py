"""Functions and `cyclegan` commands in processes of their own: a crash, a hang or a broken CUDA context stays there."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# The fork server imports these once, so that a process starts in no time. What cannot be imported is left out there.
# Optimizers import torch._dynamo at their first step, which takes seconds.
UNKNOWN_STATUS = 255  # of multiprocessing, where its fork server lost the exit status; what was written decides then
MODULES = ("torch._dynamo", "cyclegan.cli", "cyclegan.translation", "cyclegan.reports", "scripts.gpu.steps")


class ProcessError(Exception):
    """A process ended with an error; the message is the end of what it wrote."""


@dataclass(frozen=True)
class Running:
    """A process and the files of what it writes."""

    process: Any
    output: Path
    errors: Path

    def wait(self, timeout: float, *, allowed: tuple[int, ...] = (0,)) -> Any:
        """Return what the process printed last, read as JSON; kill it when its time is over.

        An exit status that is not allowed is an error.
        """
        self.process.join(timeout)
        if self.process.is_alive():
            self.kill()
            raise TimeoutError(f"not done after {timeout:.0f} s; {last_line(self.errors)}")
        if self.process.exitcode not in (*allowed, UNKNOWN_STATUS):
            raise ProcessError(f"exit status {self.process.exitcode}: {last_line(self.errors)}")
        lines = self.output.read_text().splitlines()
        return json.loads(lines[-1]) if lines else None

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        os.kill(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the process and those that it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not become the head of its group yet, or is gone
            self.process.kill()
        self.process.join()


class Processes:
    """Starts processes whose files lie in `logs`."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        # torch would otherwise start CUDA where it is only asked whether it is there, and no fork can use it then.
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
        self.context: Any = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(MODULES))

    def start(
        self, name: str, function: Callable[..., Any] | str, *arguments: Any, env: Mapping[str, str] | None = None
    ) -> Running:
        """Start a function, or one named `module:function`; what it returns is printed last, as JSON."""
        place = self.logs / name.replace(" ", "_")
        output, errors = place.with_suffix(".out"), place.with_suffix(".err")
        process = self.context.Process(target=_run, args=(output, errors, dict(env or {}), function, arguments))
        process.start()
        return Running(process, output, errors)

    def cyclegan(self, name: str, *arguments: Any, env: Mapping[str, str] | None = None) -> Running:
        """Start a command of the program."""
        return self.start(name, run_cyclegan, [str(argument) for argument in arguments], env=env)

    def keep_logs(self, out: Path) -> None:
        """Pack what all processes wrote into `logs.zip`."""
        shutil.make_archive(str(out / "logs"), "zip", self.logs)

    def prefer_spawn(self) -> None:
        """Start every process afresh from now on, which takes seconds each."""
        self.context = multiprocessing.get_context("spawn")


def processes_for(folder: Path) -> Processes:
    """Return what starts processes; where forked ones cannot use the GPU that is there, they are spawned."""
    processes = Processes(folder)
    if shutil.which("nvidia-smi") and not processes.start("cuda", cuda_works).wait(60):
        processes.prefer_spawn()
    return processes


def cuda_works() -> bool:
    """Tell whether this process can compute on a GPU."""
    import torch

    try:
        return bool(torch.ones(1, device="cuda").item() == 1)
    except (RuntimeError, AssertionError) as error:  # a torch built without CUDA asserts
        sys.stderr.write(f"{error}\n")
        return False


def run_cyclegan(arguments: list[str]) -> None:
    """Run a command of the program; it ends the process itself."""
    from cyclegan.cli import main

    sys.argv = ["cyclegan", *arguments]
    main()


def wait_until(condition: Callable[[], bool], running: Running, deadline: float) -> bool:
    """Wait for a condition; false where the process ends or the time (of `time.monotonic`) is over before."""
    while running.process.is_alive() and time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it wrote nothing"


def work_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder for pictures and runs that nobody needs afterwards."""
    return tempfile.TemporaryDirectory(prefix="cyclegan-gpu-", ignore_cleanup_errors=True)


def _run(output: Path, errors: Path, env: dict[str, str], function: Callable[..., Any] | str, arguments: Any) -> None:
    os.setpgrp()
    for descriptor, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    os.environ.update(env)
    called: Any = resolve_name(function) if isinstance(function, str) else function
    result = called(*arguments)
    sys.stdout.write(f"{json.dumps(result)}\n")
