"""The process that trains a run: recorded in the run's folder, and found again from there."""

import platform
import re

import psutil
from filelock import FileLock, Timeout

from cyclegan.checkpoints.run import Run

TRAIN_COMMAND = ("-m", "cyclegan", "train")  # after the interpreter, where another program starts a training
RECORD = re.compile(r"process (?P<id>\d+) on (?P<machine>.*)", re.DOTALL)  # as `record_process` writes it
CLOCK_TOLERANCE = 60.0  # seconds by which the start of a process may seem later than its record


def training_process(run: Run) -> psutil.Process | None:
    """Return the process of this machine that trains a run, or was started to; None if there is none."""
    try:
        record = RECORD.fullmatch(run.process.read_text(encoding="utf-8"))
        if record is None or record["machine"] != platform.node():
            return None
        process = psutil.Process(int(record["id"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        # A notebook lives on after its training. A lock needs no clock, which may have jumped since it was taken.
        if is_locked(run):
            return process
        # A command locks the run only after its imports, some seconds after its start.
        is_reused = process.create_time() > run.process.stat().st_mtime + CLOCK_TOLERANCE
        return process if is_train_command(process, run) and not is_reused else None
    except (OSError, ValueError, psutil.Error):
        return None


def name_option(run: Run) -> str:
    """Return the option that names a run on the command line of its training."""
    return f"--name={run.name}"


def is_train_command(process: psutil.Process, run: Run) -> bool:
    """Tell whether a process is `python -m cyclegan train` of this name: a signal stops it, and it saves."""
    command = process.cmdline()
    return tuple(command[1:4]) == TRAIN_COMMAND and name_option(run) in command


def is_locked(run: Run) -> bool:
    """Tell whether a process holds the lock of a run."""
    if not run.lock.exists():
        return False
    lock = FileLock(run.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False
