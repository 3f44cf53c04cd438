"""Kills, many users and long work cost nothing; `scripts/reliability/` says how that is tested at length."""

import sys

import pytest

from tests.support.scripts import run_script


def problems(name: str, *arguments: object) -> list[str]:
    """Run a script; return the lines that name a problem."""
    result = run_script(f"reliability.{name}", *arguments)
    found = [line for line in result.stdout.splitlines() if line.startswith("problem: ")]
    assert found or result.returncode == 0, result.stdout + result.stderr
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="no process is forked there")
def test_killed_commands_end_like_those_never_killed():
    assert problems("kills", "watch", "distill", "download", "export", "--kills", 1) == []


@pytest.mark.skipif(sys.platform != "linux", reason="no process limits another one there")
def test_many_clients_get_their_own_pictures_only():
    assert problems("page_load", "--clients", 4, "--minutes", 0.1) == []


@pytest.mark.skipif(sys.platform == "win32", reason="files are counted otherwise there")
def test_long_work_takes_no_more_of_the_machine():
    found = problems("soak", "--steps", 50, "--pictures", 200)
    assert [problem for problem in found if not problem.endswith("longer")] == []  # no test asserts a time
