"""The scheduling of this process's threads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TASKS = Path("/proc/self/task")  # on Linux, the threads by their numbers


@contextmanager
def kept_scheduling() -> Iterator[None]:
    """Give all threads the scheduling that this one had before.

    SVT-AV1, opened by root, as in a container, makes its threads and the one that opens it real-time ones, of the
    highest priority, and so all that this one starts: other programs then hardly run.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for task in TASKS.iterdir():
            with suppress(OSError):  # it has ended
                if os.sched_getscheduler(int(task.name)) != policy:
                    os.sched_setscheduler(int(task.name), policy, parameters)
