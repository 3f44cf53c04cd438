"""Let every system call that writes fail once; run from the repository's root.

    python -m scripts.reliability.faults [SCENARIO]… [--errors ENOSPC EIO EDQUOT EROFS EMFILE] [--calls 0] [--seed 0]

Each scenario (`prepared.py`) is run once under strace, which shows its system calls on files of its folder. Then it is
run once for every such call and every error, and strace makes this call fail with this error. The command must end
with an error message and a documented exit status, or do without the call; no file under its final name is damaged,
and the same command then ends as if nothing had happened. `--calls` limits the number of calls, by a sample. With
`--errors HANG` a call takes `--seconds` instead, and the command must end as if it had not.
"""

import argparse
import random
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from multiprocessing.pool import Pool
from pathlib import Path

from cyclegan.text import printable
from scripts.reliability.calls import read_calls
from scripts.reliability.disk import read_tree, write_tree
from scripts.reliability.prepared import say, scenario_parser, try_scenarios
from scripts.reliability.program import Ended, run_program
from scripts.reliability.scenarios import Scenario, Summary

ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EMFILE")
HANG = "HANG"  # no error: the call takes a minute, as on a network drive that hangs
FAILING = (
    *("openat", "write", "writev", "pwrite64", "ftruncate", "chmod", "rename", "unlink", "unlinkat", "mkdir", "rmdir"),
    *("fsync", "fdatasync"),
)
DOCUMENTED = (0, 1, 2)  # done without the call; some inputs failed; an error message


@dataclass(frozen=True)
class Fault:
    """A call that fails: in each thread the one of this number, from 1, of its kind."""

    call: str
    number: int
    error: str
    seconds: int  # that it takes if it does not fail

    @property
    def effect(self) -> str:
        """What strace does to the call."""
        return f"delay_enter={self.seconds}s" if self.error == HANG else f"error={self.error}"

    def __str__(self) -> str:
        return f"{self.error} at {self.call} {self.number}"


@dataclass(frozen=True)
class Trial:
    """A command that meets a fault, and is run again without it, in a process of its own."""

    scenario: Scenario
    expected: Summary
    folder: Path
    fault: Fault

    def __call__(self) -> tuple[Fault, bool, list[str]]:
        """Return the fault, whether it hit a file of the folder, and what is wrong."""
        write_tree(self.scenario.before, self.folder)
        log = self.folder.with_suffix(".log")
        inject = f"inject={self.fault.call}:{self.fault.effect}:when={self.fault.number}"
        try:
            ended = run_program(
                self.scenario.arguments, self.folder, (*options_of(self.fault.call), "-e", inject, "-o", str(log))
            )
            failed = [call for call in read_calls(log) if call.injected]
            if not failed or not all(call.is_within(self.folder) for call in failed):
                return self.fault, False, []  # in another thread the call of this number was about something else
            promise = self.scenario.promise(read_tree(self.folder), ended=ended.status == 0)
            hung = self.fault.error == HANG and ended.status  # what comes late is no error
            problems = complaints(ended) + ([f"exit status {ended.status}"] if hung else [])
            return self.fault, True, problems + self.scenario.check(self.folder, self.expected, promise)
        except Exception as error:
            return self.fault, True, [f"{type(error).__name__}: {error}"]
        finally:
            shutil.rmtree(self.folder)
            log.unlink(missing_ok=True)


def options_of(*calls: str) -> tuple[str, ...]:
    """Return the options of strace to show these calls with their paths, and no data."""
    return ("-y", "-xx", "-s", "0", "-e", f"trace={','.join(calls)}", "-e", "signal=none")


def complaints(ended: Ended) -> list[str]:
    """Return what is wrong with how a command ended that met a fault."""
    said = printable(ended.output[-300:])
    if ended.status not in DOCUMENTED or "internal error" in ended.output:
        return [f"exit status {ended.status}: {said}"]
    if ended.status and "cyclegan: " not in ended.output:
        return [f"no error message: {said}"]
    return [f"says damaged: {said}"] if "damaged" in ended.output else []


def failing_calls(log: Path, folder: Path) -> list[tuple[str, int]]:
    """Return kind and number of every call on a file of a folder, as strace counts them: by kind and thread."""
    counts = Counter[tuple[int, str]]()
    found: dict[tuple[str, int], None] = {}
    for call in read_calls(log):
        counts[call.thread, call.name] += 1
        if call.is_within(folder):
            found[call.name, counts[call.thread, call.name]] = None
    return list(found)


def meet_faults(pool: Pool, name: str, scenario: Scenario, folder: Path, options: argparse.Namespace) -> int:
    """Try all faults in one scenario; print counts and failures, and return the number of faults that failed."""
    whole, log = folder / "whole", folder / "strace.log"
    write_tree(scenario.before, whole)
    ended = pool.apply(run_program, (scenario.arguments, whole, (*options_of(*FAILING), "-o", str(log))))
    if ended.failure:
        raise RuntimeError(ended.failure)
    expected = pool.apply(scenario.summary, (whole,))
    calls = failing_calls(log, whole)
    tried = random.Random(f"{name} {options.seed}").sample(calls, min(options.calls or len(calls), len(calls)))
    faults = [Fault(*call, error, options.seconds) for call in tried for error in options.errors]
    trials = [Trial(scenario, expected, folder / f"fault-{number}", fault) for number, fault in enumerate(faults)]
    hits, failures = 0, []
    for fault, hit, problems in pool.imap_unordered(run_trial, trials):
        hits += hit
        failures += [f"{fault}: {'; '.join(problems)}"] if problems else []
    say(f"{name:<10} {len(calls):>6} {len(tried):>6} {len(faults):>7} {hits:>6} {len(failures):>7}")
    for failure in sorted(failures):
        say(f"    {failure}")
    return len(failures)


def run_trial(trial: Trial) -> tuple[Fault, bool, list[str]]:
    """Make a trial."""
    return trial()


def main() -> int:
    """Print a table; return 1 if a trial failed."""
    parser = scenario_parser("Let every system call that writes fail once.")
    parser.add_argument("--errors", nargs="+", choices=(*ERRORS, HANG), default=ERRORS)
    parser.add_argument("--seconds", type=int, default=60, help=f"of a call with {HANG}")
    parser.add_argument("--calls", type=int, default=0, help="tried of each scenario, at most; 0 for all")
    heading = f"{'scenario':<10} {'calls':>6} {'tried':>6} {'faults':>7} {'hit':>6} {'failed':>7}"
    return try_scenarios(meet_faults, heading, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
