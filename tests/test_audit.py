"""A known flaw in what is installed fails the checks; where nothing is known, they say so and go on."""

import json
import sys

import pytest

from scripts.audit import main

CLEAN = {"name": "rich", "version": "15.0.0", "vulns": []}
FLAWED = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "not found"}


def saying(*packages: dict) -> list[str]:
    """Return a command that answers as pip-audit does."""
    return [sys.executable, "-c", f"print({json.dumps({'dependencies': packages})!r})"]


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (saying(CLEAN, UNKNOWN), 0, "pip-audit: 1 packages looked up, flaws known: 0\n"),
        (
            saying(CLEAN, FLAWED),
            1,
            "pip-audit: 2 packages looked up, flaws known: 1\npillow 1.0: CVE-1, mended in 1.1\n",
        ),
        (saying(UNKNOWN), 0, "pip-audit: its data could not be reached\n"),
        ([sys.executable, "-c", "raise ConnectionError"], 0, "pip-audit: its data could not be reached\n"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], 0, "pip-audit: its data could not be reached\n"),
    ],
)
def test_a_known_flaw_fails_and_an_unreachable_database_does_not(command, status: int, said: str, capsys):
    assert main(command, patience=5) == status
    assert capsys.readouterr().out == said
