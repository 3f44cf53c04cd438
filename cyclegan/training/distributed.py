"""The processes that play one game together, one for each device, and what they tell each other.

What they say goes through the memory of their hosts and waits for no device.
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
BROKEN = ("gloo", "nccl", "connection", "socket", "timed out")  # words of what is raised where a rank is gone


@dataclass(frozen=True)
class Ranks:
    """Where a process stands among those that play one game together."""

    rank: int = 0
    count: int = 1
    engine: Any = None  # which brought them together
    group: Any = None  # through which they talk

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks for all."""
        return self.rank == 0

    def any(self, asked: bool) -> bool:
        """Tell whether any rank asks for something."""
        if self.group is None:
            return asked
        flag = torch.tensor(int(asked))
        distributed.all_reduce(flag, distributed.ReduceOp.MAX, group=self.group)
        return bool(flag)

    def summed(self, numbers: Tensor) -> Tensor:
        """Return the sum of every rank's numbers."""
        if self.group is None:
            return numbers
        sums = numbers.to("cpu", copy=True)
        distributed.all_reduce(sums, group=self.group)
        return sums

    def from_first(self, thing: Thing) -> Thing:
        """Return what the first rank has."""
        if self.group is None:
            return thing
        things = [thing]
        distributed.broadcast_object_list(things, group=self.group)
        return things[0]

    def collected(self, thing: Thing) -> list[Thing]:
        """Return what every rank has, in their order, to the first; to the others nothing."""
        if self.group is None:
            return [thing]
        things: list[Any] = [None] * self.count
        distributed.gather_object(thing, things if self.first else None, group=self.group)
        return things if self.first else []

    @contextmanager
    def together(self) -> Iterator[None]:
        """Wait for all at the end; an error of the user's on any ends every one, and the first rank says it."""
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
        for met in filter(None, errors):
            if self.first:
                raise met
            raise SystemExit(2)

    @contextmanager
    def losses(self) -> Iterator[None]:
        """Turn what the libraries say where another rank is gone into a sentence."""
        try:
            yield
        except RuntimeError as error:
            if self.group is None or not any(word in str(error).lower() for word in BROKEN):
                raise
            raise RankLostError(
                f"rank {self.rank} of {self.count} ends, for another of this training is gone.",
                "What it could say stands above. The same command continues from the last save.",
            ) from error


ALONE = Ranks()


def started_by_torchrun() -> bool:
    """Tell whether torchrun, or what we start ourselves, has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ
