"""Ordered results of a function that runs ahead in threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Input = TypeVar("Input")
Output = TypeVar("Output")


def map_ahead(
    function: Callable[[Input], Output], items: Iterable[Input], *, workers: int, ahead: int = 0
) -> Iterator[Output]:
    """Yield `function(item)` in order, computed by `workers` threads at most `ahead` items early.

    `ahead` defaults to two for each worker, so memory stays bounded. With `workers` 0 nothing is computed early.
    """
    if workers == 0:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from map_in_pool(pool, function, items, ahead=ahead or 2 * workers)


def map_in_pool(
    pool: ThreadPoolExecutor, function: Callable[[Input], Output], items: Iterable[Input], *, ahead: int
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
        for future in pending:
            future.cancel()
