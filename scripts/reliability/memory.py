"""Let every operation of torch lack memory once; run from the repository's root.

    python -m scripts.reliability.memory [SCENARIO]… [--errors torch python] [--operations 0] [--seed 0]

Each scenario (`prepared.py`) is run once to count the operations of torch in all its threads: each may allocate. Then
it is run once for every operation and every error: as torch's allocator raises it, and as Python does. The command must
end with an error message and a documented exit status, or do without; no file under its final name is damaged, and the
same command then ends as if nothing had happened. `--operations` limits their number, by a sample.
"""

import argparse
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from multiprocessing.pool import Pool
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

from torch.utils._python_dispatch import TorchDispatchMode

from scripts.reliability.disk import read_tree, write_tree
from scripts.reliability.faults import complaints
from scripts.reliability.prepared import say, scenario_parser, try_scenarios
from scripts.reliability.program import Ended, run_program
from scripts.reliability.scenarios import Scenario, Summary

ERRORS: dict[str, Callable[[], Exception]] = {
    "torch": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "python": MemoryError,
}


class Operations:
    """Counts operations of torch; the one of a number fails."""

    def __init__(self, failing: int = 0, error: str = "torch") -> None:
        self.failing, self.error = failing, error
        self.numbers, self.last = count(1), 0

    def check(self) -> None:
        """Count one operation, and fail if it is its turn."""
        self.last = next(self.numbers)
        if self.last == self.failing:
            raise ERRORS[self.error]()


class CountingMode(TorchDispatchMode):
    """Tells `operations` of every operation of a thread."""

    def __init__(self, operations: Operations) -> None:
        super().__init__()
        self.operations = operations

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Count, and go on as without this mode."""
        self.operations.check()
        return func(*args, **(kwargs or {}))


@contextmanager
def counted(operations: Operations) -> Iterator[None]:
    """Count the operations of this thread and of those that it starts."""
    run = Thread.run

    def counting_run(thread: Thread) -> None:
        with CountingMode(operations):
            run(thread)

    with patch.object(Thread, "run", counting_run), CountingMode(operations):
        yield


@dataclass(frozen=True)
class Trial:
    """A command in which an operation lacks memory, and which is run again, in a process of its own."""

    scenario: Scenario
    expected: Summary
    folder: Path
    operation: int
    error: str

    def __str__(self) -> str:
        return f"{self.error} at operation {self.operation}"

    def problems(self) -> tuple[str, int, list[str]]:
        """Return this trial's name, the exit status of the command, and what is wrong."""
        write_tree(self.scenario.before, self.folder)
        try:
            with counted(Operations(self.operation, self.error)):
                ended = run_program(self.scenario.arguments, self.folder)
            promise = self.scenario.promise(read_tree(self.folder), ended=ended.status == 0)
            problems = complaints(ended) + self.scenario.check(self.folder, self.expected, promise)
            return str(self), ended.status, problems
        except Exception as error:
            return str(self), -1, [f"{type(error).__name__}: {error}"]
        finally:
            shutil.rmtree(self.folder)


def run_counted(scenario: Scenario, folder: Path) -> tuple[Ended, int]:
    """Run a command; return how it ended, and how many operations it made."""
    with counted(operations := Operations()):
        return run_program(scenario.arguments, folder), operations.last


def lack_memory(pool: Pool, name: str, scenario: Scenario, folder: Path, options: argparse.Namespace) -> int:
    """Make all trials of one scenario; print counts and failures, and return the number of trials that failed."""
    write_tree(scenario.before, folder / "whole")
    ended, total = pool.apply(run_counted, (scenario, folder / "whole"))
    if ended.failure:
        raise RuntimeError(ended.failure)
    expected = pool.apply(scenario.summary, (folder / "whole",))
    tried = random.Random(f"{name} {options.seed}").sample(range(1, total + 1), min(options.operations or total, total))
    new_trial = partial(Trial, scenario, expected)
    trials = [new_trial(folder / f"{error}-{number}", number, error) for number in tried for error in options.errors]
    ends, failures = [], []
    for trial, status, problems in pool.imap_unordered(Trial.problems, trials):
        ends.append(status)
        failures += [f"{trial}: {'; '.join(problems)}"] if problems else []
    say(f"{name:<10} {total:>10} {len(tried):>6} {len(trials):>7} {sum(map(bool, ends)):>7} {len(failures):>7}")
    for failure in sorted(failures):
        say(f"    {failure}")
    return len(failures)


def main() -> int:
    """Print a table; return 1 if a trial failed."""
    parser = scenario_parser("Let every operation of torch lack memory once.")
    parser.add_argument("--errors", nargs="+", choices=ERRORS, default=[*ERRORS])
    parser.add_argument("--operations", type=int, default=0, help="tried of each scenario, at most; 0 for all")
    heading = f"{'scenario':<10} {'operations':>10} {'tried':>6} {'trials':>7} {'errors':>7} {'failed':>7}"
    return try_scenarios(lack_memory, heading, parser.parse_args(), needs_strace=False)


if __name__ == "__main__":
    sys.exit(main())
