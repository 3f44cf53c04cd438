"""A stand-in for `python -m cyclegan train`: it starts at once, and ends as a test wants it to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cyclegan.checkpoints.process import training_process
from cyclegan.checkpoints.run import Run

PROGRAM = """
import json, signal, sys, time
options = dict(argument.split("=", 1) for argument in sys.argv if argument.startswith("--name="))
def stop(*_):
    if "slow" in options["--name"]:
        time.sleep(1)
        sys.exit(130)
    print(json.dumps({"finished": False, "step": 3}), flush=True)
    sys.exit(130)
if "deaf" not in options["--name"]:
    signal.signal(signal.SIGTERM, stop)
print(" ".join(sys.argv[1:]), flush=True)
if "fails" in options["--name"]:
    sys.exit("cyclegan: <b>all</b> pictures are damaged. Choose others.")
if "finishes" in options["--name"]:
    print(json.dumps({"finished": True, "step": 1200}))
    sys.exit()
time.sleep(600)
"""


def install(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Put the stand-in where `python -m cyclegan` finds it first."""
    package = folder / "cyclegan"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PROGRAM)
    patch.chdir(folder)


@contextmanager
def ended_trainings(checkpoints: Path) -> Iterator[None]:
    """Kill at the end every training of a run in this folder."""
    try:
        yield
    finally:
        for folder in checkpoints.glob("*"):
            if process := training_process(Run(folder)):
                process.kill()
                psutil.wait_procs([process], 10)
