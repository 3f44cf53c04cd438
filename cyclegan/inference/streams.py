"""Several pictures at the same time on a CPU, each with its share of torch's threads.

Usually all threads share every operator of one picture, and wait for each other in a loop at its end. Beside another
busy process each wait lasts until the thread that it displaced comes back. Pictures side by side do not wait for each
other.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import torch

from cyclegan.devices import CPU, limit_threads, threads_of_torch
from cyclegan.inference.translator import Translator
from cyclegan.prefetch import Input, Output, Workers, map_in_pool


class Streams:
    """`count` pictures of a translator at a time, each with its share of all threads.

    There are as many streams as threads or, if it is known that those are fewer, pictures; on other devices than a CPU
    there is one.
    """

    def __init__(self, translator: Translator, pictures: int | None = None) -> None:
        self.all_threads = torch.get_num_threads()
        most = self.all_threads if pictures is None else min(self.all_threads, pictures)
        self.count = max(most, 1) if translator.device == CPU else 1
        self.translator = translator.shared_by(self.count)  # what the streams use

    def map(self, function: Callable[[Input], Output], items: Iterable[Input]) -> Iterator[Output]:
        """Yield `function(item)` in order, computed in the streams; meanwhile this thread has the threads of one."""
        if self.count == 1:
            yield from map(function, items)
            return
        threads = self.all_threads // self.count
        with threads_of_torch(threads), Workers(self.count, "stream", limit_threads, (threads,)) as pool:
            yield from map_in_pool(pool, function, items, ahead=self.count)

    def all_at_one(self) -> AbstractContextManager[None]:
        """Within `map`, lend all threads to one picture, such as a large one."""
        return threads_of_torch(self.all_threads)
