"""Cut the power at every moment of commands that write files; run from the repository's root.

    python -m scripts.reliability.power_cuts [SCENARIO]… [--choices 256] [--states 0] [--seed 0]

Each scenario (`prepared.py`) is run once under strace, which shows every change of a file and every fsync. For each
moment of this recording the states that a disk may be left in are enumerated (`disk.py`): exhaustively, or a sample of
`--choices` where there are more choices of what is lost. Each different state is written into a new folder and checked
there (`scenarios.py`): every file under its final name is whole, what a command has reported as done is there, and the
same command ends as if nothing had happened. `--states` limits how many are checked.
"""

import argparse
import random
import shutil
import sys
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.pool import Pool
from pathlib import Path

from scripts.reliability.calls import TRACE, read_calls
from scripts.reliability.disk import Flushed, Recording, Tree, digest, write_tree
from scripts.reliability.prepared import say, scenario_parser, try_scenarios
from scripts.reliability.program import run_program
from scripts.reliability.scenarios import Scenario, Summary


@dataclass
class Cuts:
    """The states that a power cut may leave."""

    events: int
    flushes: int
    moments: int = 0
    sampled: int = 0  # moments with more choices than were made
    choices: int = 0
    states: dict[str, tuple[Tree, int]] = field(default_factory=dict)  # by digest; with what must not be lost


@dataclass(frozen=True)
class Check:
    """One state to be checked in a process of its own."""

    scenario: Scenario
    expected: Summary
    folder: Path
    tree: Tree
    promise: int

    def __call__(self) -> list[str]:
        """Return what is wrong."""
        write_tree(self.tree, self.folder)
        try:
            return self.scenario.check(self.folder, self.expected, self.promise)
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
        finally:
            shutil.rmtree(self.folder)


def record(pool: Pool, scenario: Scenario, folder: Path) -> Recording:
    """Run a command under strace in a new folder."""
    write_tree(scenario.before, folder)
    log = folder.with_name("strace.log")
    ended = pool.apply(run_program, (scenario.arguments, folder, (*TRACE, "-o", str(log))))
    if ended.failure:
        raise RuntimeError(ended.failure)
    return Recording(read_calls(log), folder, scenario.before)


def cuts_of(scenario: Scenario, recording: Recording, limit: int, rng: random.Random) -> Cuts:
    """Return every different state that a power cut may leave, and the most that is promised of it."""
    cuts = Cuts(len(recording.events), sum(isinstance(event, Flushed) for event in recording.events))
    for events, live in recording.moments():
        promise = scenario.promise(live, ended=len(events) == cuts.events)
        count, states = recording.states(events, limit, rng)
        cuts.moments += 1
        cuts.sampled += count > limit
        cuts.choices += len(states)
        for tree in states:
            key = digest(tree)
            cuts.states[key] = (tree, max(promise, cuts.states.get(key, (tree, 0))[1]))
    return cuts


def cut_power(pool: Pool, name: str, scenario: Scenario, folder: Path, options: argparse.Namespace) -> int:
    """Check all states of one scenario; print counts and failures, and return the number of states that failed."""
    rng = random.Random(f"{name} {options.seed}")
    recording = record(pool, scenario, folder / "recorded")
    expected = pool.apply(scenario.summary, (folder / "recorded",))
    cuts = cuts_of(scenario, recording, options.choices, rng)
    states = list(cuts.states.values())
    if options.states and options.states < len(states):
        states = rng.sample(states, options.states)
    checks = [
        Check(scenario, expected, folder / f"state-{number}", tree, promise)
        for number, (tree, promise) in enumerate(states)
    ]
    problems = Counter[str]()
    failed = 0
    for found in pool.imap_unordered(run_check, checks):
        problems.update(found)
        failed += bool(found)
    say(
        f"{name:<10} {cuts.events:>6} {cuts.flushes:>7} {cuts.moments:>7} {cuts.sampled:>7} {cuts.choices:>8} "
        f"{len(cuts.states):>7} {len(states):>7} {failed:>6}"
    )
    for problem, times in problems.most_common():
        say(f"    {times} x {problem}")
    return failed


def run_check(check: Check) -> list[str]:
    """Check a state."""
    return check()


def main() -> int:
    """Print a table; return 1 if a state failed."""
    parser = scenario_parser("Cut the power at every moment of commands that write files.")
    parser.add_argument("--choices", type=int, default=256, help="of what is lost, at most, at one moment")
    parser.add_argument("--states", type=int, default=0, help="checked of each scenario, at most; 0 for all")
    heading = (
        f"{'scenario':<10} {'events':>6} {'flushes':>7} {'moments':>7} {'sampled':>7} {'choices':>8} {'states':>7} "
        f"{'checked':>7} {'failed':>6}"
    )
    return try_scenarios(cut_power, heading, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
