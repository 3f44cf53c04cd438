"""The ranks of a training, one process for each device, and what they exchange.

It goes through the memory of their hosts (gloo) and waits for no device.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from cyclegan.errors import CycleganError, RankLostError

Thing = TypeVar("Thing")
# words of errors that libraries raise when a rank is gone
CONNECTION_ERRORS = ("gloo", "nccl", "connection", "socket", "timed out")


@dataclass(frozen=True)
class Ranks:
    """The rank of this process among those of one training."""

    rank: int = 0
    count: int = 1
    fabric: Any = None  # that launched the ranks
    group: Any = None  # their gloo process group

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes files and messages for all."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set on any rank."""
        if self.group is None:
            return flag
        flags = torch.tensor(int(flag))
        distributed.all_reduce(flags, distributed.ReduceOp.MAX, group=self.group)
        return bool(flags)

    def summed(self, numbers: Tensor) -> Tensor:
        """Return the sum of every rank's numbers."""
        if self.group is None:
            return numbers
        sums = numbers.to("cpu", copy=True)
        distributed.all_reduce(sums, group=self.group)
        return sums

    def broadcast(self, thing: Thing) -> Thing:
        """Return the first rank's object."""
        if self.group is None:
            return thing
        things = [thing]
        distributed.broadcast_object_list(things, group=self.group)
        return things[0]

    def gather(self, thing: Thing) -> list[Thing]:
        """Return the objects of all ranks, in their order, on the first; on the others nothing."""
        if self.group is None:
            return [thing]
        things: list[Any] = [None] * self.count
        distributed.gather_object(thing, things if self.is_first else None, group=self.group)
        return things if self.is_first else []

    @contextmanager
    def barrier(self) -> Iterator[None]:
        """Wait for all ranks at the end; a `CycleganError` on any ends every one, and the first rank raises it."""
        error = None
        try:
            yield
        except CycleganError as caught:
            if self.group is None:
                raise
            error = caught
        if self.group is None:
            return
        errors: list[CycleganError | None] = [None] * self.count
        distributed.all_gather_object(errors, error, group=self.group)
        for raised in filter(None, errors):
            if self.is_first:
                raise raised
            raise SystemExit(2)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the errors of libraries when another rank is gone into a `RankLostError`."""
        try:
            yield
        except RuntimeError as error:
            if self.group is None or not any(word in str(error).lower() for word in CONNECTION_ERRORS):
                raise
            raise RankLostError(
                f"rank {self.rank} of {self.count} ends, because another rank of this training is gone.",
                "Its error message stands above. The same command continues from the last save.",
            ) from error


SINGLE_PROCESS = Ranks()


def started_by_torchrun() -> bool:
    """Tell whether torchrun, or `launch.start_processes`, has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ
