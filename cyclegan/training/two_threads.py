"""The two halves of a step on a CPU at the same time, in one thread each.

Usually all threads share every operator, and wait for each other hundreds of times in a step. They wait in a loop, so
beside another busy process each wait lasts until the thread that it displaced comes back: two trainings on two cores
ran at a sixtieth of their speed. Two threads that meet twice in a step do not.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

from cyclegan.devices import limit_threads

StepResult = TypeVar("StepResult")
First = TypeVar("First")
Second = TypeVar("Second")


class SingleThread:
    """The thread that trains, with all threads that torch uses for operators."""

    def run(self, step: Callable[[], StepResult]) -> StepResult:
        """Call a function."""
        return step()

    def both(self, first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
        """Call one function after the other."""
        return first(), second()


class TwoThreads(SingleThread):
    """Two threads, each with half of the threads that torch uses for operators."""

    def __init__(self) -> None:
        threads = torch.get_num_threads() // 2
        self.pool = ThreadPoolExecutor(2, "half of a step", limit_threads, (threads,))

    def run(self, step: Callable[[], StepResult]) -> StepResult:
        """Call a function in the first thread, as operators between the halves should not wait either."""
        return self.pool.submit(step).result()

    def both(self, first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
        """Call both functions at the same time; within `run`, so that one thread of the pool is free."""
        other = self.pool.submit(second)
        try:
            result = first()
        finally:
            wait([other])  # an error of the first must not leave the second at work
        return result, other.result()
