"""Ordered results of a function that runs ahead in threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")

MAX_CLOSING_SECONDS = 10.0  # for which a generator that is closed waits for what its threads still compute


class Workers(ThreadPoolExecutor):
    """The threads of a generator, which are not joined when it is closed before its end.

    Python may collect an abandoned generator at any moment, also while this thread starts or ends another one and holds
    the lock of `threading` for that: joining a thread there would wait for ever.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the threads."""
        self.shutdown(wait=kind is not GeneratorExit, cancel_futures=True)


def map_ahead(
    function: Callable[[Input], Output], items: Iterable[Input], *, workers: int, ahead: int = 0
) -> Iterator[Output]:
    """Yield `function(item)` in order, computed by `workers` threads at most `ahead` items early.

    `ahead` defaults to two for each worker, so memory stays bounded. With `workers` 0 nothing is computed early.
    """
    if workers == 0:
        yield from map(function, items)
        return
    with Workers(workers) as pool:
        yield from map_in_pool(pool, function, items, ahead=ahead or 2 * workers)


def map_in_pool(
    pool: Workers, function: Callable[[Input], Output], items: Iterable[Input], *, ahead: int
) -> Iterator[Output]:
    """Yield `function(item)` in order, computed in a pool of threads at most `ahead` items early."""
    pending: deque[Future[Output]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        wait([future for future in pending if not future.cancel()], MAX_CLOSING_SECONDS)
