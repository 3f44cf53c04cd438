"""Several trainings in threads of one process, as far as torch keeps them apart."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cyclegan.errors import RunError
from cyclegan.training.inputs import TrainInputs

_lock = threading.Lock()
_running: list[bool] = []  # of each training at work


@contextmanager
def process_shared_with_other_trainings(inputs: TrainInputs) -> Iterator[None]:
    """Register a training of this process; raise an error if it would disturb another one.

    Dropout draws from torch's random numbers, of which a process has one sequence, and a CUDA graph cannot be captured
    while other threads use the device. All else belongs to one training alone.
    """
    needs_process = inputs.config.generator.dropout or inputs.device.type == "cuda"
    with _lock:
        if _running and (needs_process or any(_running)):
            raise RunError(
                "another training runs in this process, and with dropout or on CUDA a training needs one of its own.",
                "Start it as a process of its own, or wait until the other has ended.",
            )
        _running.append(needs_process)
    try:
        yield
    finally:
        with _lock:
            _running.remove(needs_process)
