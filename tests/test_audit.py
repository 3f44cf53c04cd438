"""A known flaw in an installed package fails the checks; where nothing is known, they say so and go on."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.scripts import run_script

CLEAN = {"name": "rich", "version": "15.0.0", "vulns": []}
FLAWED = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "not found"}


def answer(*packages: dict) -> str:
    """Return a program that answers as pip-audit does."""
    return f"print({json.dumps({'dependencies': packages})!r})"


@pytest.mark.parametrize(
    ("program", "status", "message"),
    [
        (answer(CLEAN, UNKNOWN), 0, "pip-audit: 1 packages looked up, known flaws: 0\n"),
        (
            answer(CLEAN, FLAWED),
            1,
            "pip-audit: 2 packages looked up, known flaws: 1\npillow 1.0: CVE-1, fixed in 1.1\n",
        ),
        (answer(UNKNOWN), 0, "pip-audit: its database could not be reached\n"),
        ("raise ConnectionError", 0, "pip-audit: its database could not be reached\n"),
        ("import time; time.sleep(60)", 0, "pip-audit: its database could not be reached\n"),
    ],
)
def test_known_flaws_fail_and_an_unreachable_database_does_not(program, status: int, message: str, tmp_path: Path):
    script = tmp_path / "pip_audit.py"
    script.write_text(program)
    result = run_script("audit", "--timeout", 5, "--command", sys.executable, script)
    assert (result.returncode, result.stdout) == (status, message), result.stderr
