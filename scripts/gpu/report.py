"""A table of what was tried: each entry is caught and timed by itself, and none begins when the time is over."""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
Check = Callable[[float], Figures]  # takes the seconds that it may last at most, returns figures
MARGIN = 10  # seconds for the table and the end of the command
TOY_TIME_FACTOR = 5  # a dry run on a busy machine may take so many times as long


class NotHere(Exception):  # noqa: N818 (it is no error)
    """What was to be tried is not on this machine."""


@dataclass
class Row:
    """What came of one check."""

    name: str
    outcome: str  # ok, FAILED, not here, no time
    seconds: float = 0.0
    figures: Figures = field(default_factory=dict)

    def __str__(self) -> str:
        figures = "; ".join(f"{key} {value}" for key, value in self.figures.items())
        return f"| {self.name} | {self.outcome} | {self.seconds:.0f} s | {figures} |"


class Report:
    """The table, and the clock that ends it."""

    def __init__(self, command: str, asked: argparse.Namespace) -> None:
        self.command, self.out, self.toy = command, asked.out, asked.toy
        self.time_factor = TOY_TIME_FACTOR if asked.toy else 1
        self.started = time.monotonic()
        self.deadline = self.started + 60 * asked.minutes * self.time_factor - MARGIN
        self.rows: list[Row] = []
        self.out.mkdir(parents=True, exist_ok=True)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.deadline - time.monotonic()

    def check(self, name: str, check: Check, *, at_most: float = 60, at_least: float = 1) -> Row:
        """Try something within its seconds and add a row; `at_least` are needed for it to make sense."""
        started, row = time.monotonic(), Row(name, "no time")
        if self.left() >= at_least:
            try:
                row.figures, row.outcome = check(min(at_most * self.time_factor, self.left())), "ok"
            except NotHere as error:
                row.figures, row.outcome = {"why": error}, "not here"
            except Exception as error:
                row.figures, row.outcome = {"why": f"{type(error).__name__}: {error}".replace("\n", " ")}, "FAILED"
        row.seconds = time.monotonic() - started
        self.rows.append(row)
        say(str(row))
        return row

    def together(self, checks: Sequence[tuple[str, Check]], *, workers: int, at_most: float = 60) -> None:
        """Try several things beside one another."""
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda pair: self.check(*pair, at_most=at_most), checks))

    def write(self) -> int:
        """Write and print the table; return the command's exit status: 1 where something failed."""
        place = " on a CPU at toy size" if self.toy else ""
        head = f"## {self.command}{place}, {time.monotonic() - self.started:.0f} s in all\n\n"
        head += "| what | outcome | time | figures |\n| --- | --- | --- | --- |\n"
        table = head + "\n".join(map(str, self.rows)) + "\n"
        (self.out / f"{self.command}.md").write_text(table)
        rows = [{**vars(row), "figures": {k: str(v) for k, v in row.figures.items()}} for row in self.rows]
        (self.out / f"{self.command}.json").write_text(json.dumps(rows, indent=1) + "\n")
        say(f"\n{table}")
        return int(any(row.outcome == "FAILED" for row in self.rows))


def say(text: str) -> None:
    """Print at once: a command may be cut off."""
    print(text, flush=True)  # noqa: T201


def arguments(description: str | None, minutes: float) -> argparse.ArgumentParser:
    """Return a parser with the options that all commands have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="the same at a tiny size, as a dry run on a CPU")
    parser.add_argument("--minutes", type=float, default=minutes, help=f"after which it ends [{minutes:g}]")
    out = Path(os.environ.get("OUT") or ".gpu/out")
    parser.add_argument("--out", type=Path, default=out, help="folder of what comes back ($OUT, else .gpu/out)")
    return parser
