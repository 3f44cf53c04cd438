"""Several trainings in threads of one process, as far as torch keeps them apart."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cyclegan.errors import RunError
from cyclegan.training.plan import Plan

_lock = threading.Lock()
_needs_process: list[bool] = []  # of each training at work


@contextmanager
def sharing_process(plan: Plan) -> Iterator[None]:
    """Keep apart trainings that would disturb one another; the second of two such is an error.

    Dropout draws from torch's random numbers, of which a process has one sequence, and a CUDA graph cannot be captured
    while other threads use the device. All else belongs to one training alone.
    """
    alone = plan.config.generator.dropout or plan.device.type == "cuda"
    with _lock:
        if _needs_process and (alone or any(_needs_process)):
            raise RunError(
                "another training runs in this process, and with dropout or on CUDA a training needs one of its own.",
                "Start it as a process of its own, or wait until the other has ended.",
            )
        _needs_process.append(alone)
    try:
        yield
    finally:
        with _lock:
            _needs_process.remove(alone)
