"""Power cuts, failing system calls and lack of memory cost nothing; `scripts/reliability/` says how that is tested."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripts import ROOT, run_script

MODEL = """
import subprocess
import sys
from pathlib import Path
from random import Random

from scripts.reliability.calls import TRACE, read_calls
from scripts.reliability.disk import Recording

folder, log, program = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
subprocess.run(["strace", "-f", *TRACE, "-o", log, sys.executable, "-S", "-c", program], cwd=folder, check=True)
recording = Recording(read_calls(log), folder, {})
left = {tree.get("x") for events, _ in recording.moments() for tree in recording.states(events, 4096, Random(0))[1]}
print(sorted(content.decode() if content is not None else "none" for content in left))
"""
WRITE = "import os; file = open('y', 'w'); file.write('whole'); file.flush(); {}os.rename('y', 'x')"


def may_trace() -> bool:
    """Tell whether strace is there and may trace."""
    try:
        return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not may_trace(), reason="strace is missing, or may not trace")


def states_left_by(program: str, folder: Path) -> str:
    """Return what a file named x may hold when the power fails while a program writes it."""
    (folder / "traced").mkdir()
    command = [sys.executable, "-c", MODEL, folder / "traced", folder / "log", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_a_file_renamed_before_it_is_flushed_may_be_torn(tmp_path: Path):
    left = states_left_by(WRITE.format(""), tmp_path)
    assert left == str(sorted(["", "\0\0ole", "none", "wh", "wh\0\0\0", "whole"]))


def test_a_file_flushed_before_its_rename_is_whole_or_missing(tmp_path: Path):
    assert states_left_by(WRITE.format("os.fsync(file.fileno()); "), tmp_path) == str(["none", "whole"])


def rows(name: str, *arguments: object) -> list[list[str]]:
    """Run a script in which nothing fails; return the rows of its table."""
    result = run_script(f"reliability.{name}", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.split() for line in result.stdout.splitlines()[1:]]


def test_a_power_cut_costs_nothing_that_was_saved():
    found = rows("power_cuts", "train", "translate", "unpack", "--choices", 32, "--states", 4)
    assert [(name, checked, failed) for name, *_, checked, failed in found] == [
        ("train", "4", "0"),
        ("translate", "4", "0"),
        ("unpack", "4", "0"),
    ]


def test_a_system_call_that_fails_costs_nothing_that_was_saved():
    found = rows("faults", "train", "translate", "half", "--calls", 3, "--errors", "ENOSPC")
    assert [(name, tried, failed) for name, _, tried, *_, failed in found] == [
        ("train", "3", "0"),
        ("translate", "3", "0"),
        ("half", "3", "0"),
    ]


def test_a_drive_that_hangs_costs_nothing():
    found = rows("faults", "train", "translate", "--calls", 2, "--errors", "HANG", "--seconds", 2)
    assert [(name, tried, failed) for name, _, tried, *_, failed in found] == [
        ("train", "2", "0"),
        ("translate", "2", "0"),
    ]


def test_lack_of_memory_costs_nothing_that_was_saved():
    found = rows("memory", "train", "translate", "--operations", 2)
    assert [(name, trials, failed) for name, _, _, trials, _, failed in found] == [
        ("train", "4", "0"),
        ("translate", "4", "0"),
    ]
