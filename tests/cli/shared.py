"""What the tests of the command line share."""

import subprocess
import sys

TINY = ("--preset", "tiny", "--max-steps", 4, "--set", "logging.every=2", "--device", "cpu")
POSIX = sys.platform != "win32"


def assert_a_sentence(result: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    """Assert that a run ended with an error message of these words, and no traceback."""
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr
