"""Kill commands at random instants; run from the repository's root.

    python -m scripts.reliability.kills [SCENARIO]… [--kills 10] [--seed 0]

Each command (`prepared.py`) is started in a new folder and killed with SIGKILL at an instant drawn from the time that
it takes; then it is started again there, until it has done all. After each kill no process of it is left and no
file under its final name is damaged; at the end the folder holds what a command leaves that was never killed, and a
training has continued from its newest state, a download from its last byte. Of a training on two ranks one of the
processes is killed, or all. `--kills` are those of each scenario.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import ClassVar

import psutil

from cyclegan.text import printable
from scripts.reliability.disk import read_tree, write_tree
from scripts.reliability.prepared import Resumable, prepared, say, scenario_parser
from scripts.reliability.program import Ended, start_program
from scripts.reliability.scenarios import Scenario, Summary, Training

SCENARIOS = ("train", "ranks", "translate", "watch", "distill", "download", "export")
MAX_KILLS = 5  # in one folder; then the command runs to its end
INTERRUPTED = 130
SECONDS_TO_END = 60.0  # in which the other processes of a command have to end after one of them was killed


class Slow(Resumable):
    """Serves so slowly that kills meet the download."""

    pieces, pause = 20, 0.02
    starts: ClassVar[list[int]] = []  # the first byte of each answer

    def do_GET(self) -> None:  # noqa: N802
        """Send a file, or its rest."""
        self.starts.append(int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")))
        super().do_GET()


@dataclass
class Command:
    """A scenario, what it leaves, and the seconds that it took when it last was not killed."""

    name: str
    scenario: Scenario
    expected: Summary
    seconds: float

    def run(self, folder: Path, rng: random.Random | None, *, again: bool) -> tuple[str, list[str]]:
        """Start the command, and kill it; return when and what was killed, empty if it ended before, and problems."""
        promise = self.scenario.promise(read_tree(folder), ended=isinstance(self.scenario, Training))
        downloaded, requests = size_of_download(folder), len(Slow.starts)
        started = time.monotonic()
        process = start(self.scenario, folder, again=again)
        delay = rng.uniform(0, self.seconds) if rng else None
        process.join(delay)
        taken = time.monotonic() - started
        killed, problems = kill(process, rng) if rng else ("", [])
        if killed:
            killed = f"{killed} after {delay:.3f} of {self.seconds:.3f} s"
            problems += self.scenario.damage(folder, self.expected, promise=0)
        else:
            problems += self.problems_at_end(ended_program(process, folder), folder, promise)
            self.seconds = self.seconds if again else taken
        if downloaded and Slow.starts[requests : requests + 1] not in ([], [downloaded]):
            problems.append(f"downloaded from byte {Slow.starts[requests]}, not {downloaded}")
        return killed, problems

    def problems_at_end(self, ended: Ended, folder: Path, promise: int) -> list[str]:
        """Return what is wrong with what a command left that ended by itself."""
        failure = failure_of(self.scenario, ended)
        lost_steps = self.scenario.lost_steps(ended.output, promise)
        return [*([failure] if failure else []), *lost_steps, *self.scenario.differences(folder, self.expected)]

    def is_complete(self, folder: Path) -> bool:
        """Tell whether the command had done all when it was killed, so that it would refuse to do it again."""
        return self.scenario.again is None and self.scenario.summary(folder) == self.expected


def start(scenario: Scenario, folder: Path, *, again: bool) -> BaseProcess:
    """Start a command in a folder."""
    arguments = (*scenario.arguments, *((scenario.again or ()) if again else ()))
    return start_program(arguments, folder, folder.with_suffix(".log"), scenario.outputs)


def ended_program(process: BaseProcess, folder: Path) -> Ended:
    """Return how a command ended that was not killed."""
    return Ended(process.exitcode or 0, folder.with_suffix(".log").read_text(encoding="utf-8"))


def failure_of(scenario: Scenario, ended: Ended) -> str:
    """Return what is wrong with how a command ended; one that never ends by itself was interrupted."""
    status = ended.status - INTERRUPTED if scenario.outputs else ended.status
    return Ended(status, ended.output).failure


def kill(process: BaseProcess, rng: random.Random) -> tuple[str, list[str]]:
    """Kill a command, or one of its processes.

    Return which were killed, empty if the command had ended, and which of the others did not end then.
    """
    assert process.pid
    try:
        main = psutil.Process(process.pid)
        processes = [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        process.join()
        return "", []
    victims = rng.choice([processes, *([one] for one in processes)] if processes[1:] else [processes])
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    _, left = psutil.wait_procs(processes, SECONDS_TO_END)
    for survivor in left:
        survivor.kill()
    process.join()
    if process.exitcode != -signal.SIGKILL and not processes[1:]:
        return "", []  # it ended at that moment
    return f"killed {numbers_of(victims, processes)}", [f"{numbers_of(left, processes)} did not end"] if left else []


def numbers_of(some: Sequence[psutil.Process], processes: Sequence[psutil.Process]) -> str:
    """Return the numbers of processes; 0 is that of the command."""
    return "process " + " and ".join(str(processes.index(one)) for one in some)


def size_of_download(folder: Path) -> int:
    """Return how many bytes are there of an archive."""
    return sum(path.stat().st_size for path in folder.glob("datasets/.cyclegan-*/*.zip"))


def run_whole(name: str, scenario: Scenario, folder: Path) -> Command:
    """Run a command that is not killed."""
    write_tree(scenario.before, folder)
    started = time.monotonic()
    process = start(scenario, folder, again=False)
    process.join()
    seconds = time.monotonic() - started
    if failure := failure_of(scenario, ended_program(process, folder)):
        raise RuntimeError(failure)
    return Command(name, scenario, scenario.summary(folder), seconds)


def kill_again_and_again(command: Command, folder: Path, options: argparse.Namespace) -> int:
    """Kill a command as often as is asked for, in several folders; return the number of folders with problems."""
    kills, trials, failed = 0, 0, 0
    while kills < options.kills:
        trials += 1
        rng = random.Random(f"{command.name} {options.seed} {trials}")
        found, problems = kill_in_folder(command, folder / f"trial-{trials}", rng, options.kills - kills)
        for number, killed in enumerate(found, kills + 1):
            say(f"{command.name} {number}: seed {options.seed}, trial {trials}, {killed}")
        for problem in problems:
            say(f"problem: {printable(problem)}")
        kills += len(found)
        failed += bool(problems)
    say(f"{command.name}: {kills} kills in {trials} trials, {failed} failed")
    return failed


def kill_in_folder(command: Command, folder: Path, rng: random.Random, most: int) -> tuple[list[str], list[str]]:
    """Start and kill a command in a new folder until it has done all; return the kills, and problems."""
    write_tree(command.scenario.before, folder)
    kills, problems, killed = list[str](), list[str](), "first"
    while killed and not problems and not command.is_complete(folder):
        is_last = len(kills) == min(most, MAX_KILLS)
        killed, problems = command.run(folder, None if is_last else rng, again=bool(kills))
        kills += [killed] if killed else []
    shutil.rmtree(folder)
    return kills, problems


def main() -> int:
    """Print a line for each kill; return 1 if a command failed to continue exactly."""
    parser = scenario_parser("Kill commands at random instants.")
    parser.add_argument("--kills", type=int, default=10, help="of each scenario")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        with prepared(folder / "inputs", Slow) as inputs:
            scenarios = inputs.scenarios() | inputs.more_scenarios()
            start_program(["--version"], folder, folder / "log").join()  # what all are forked from, which takes seconds
            for name in options.scenarios or SCENARIOS:
                command = run_whole(name, scenarios[name], folder / name / "whole")
                failed += kill_again_and_again(command, folder / name, options)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
