"""Feed damaged and hostile files to everything that reads files; run from the repository's root.

    python -m scripts.fuzz [READER]… [--inputs 25000] [--seed 0] [--finds DIR]

Every input is a valid file with random damage (`fuzz_damage.py`). A reader (`fuzz_readers.py`) may succeed or raise a
`CycleganError`. Any other error is a find, as are 5 s of arithmetic or 1 GiB more memory; its input is saved. Each
reader has a process of its own: if it crashes, or hangs for half a minute, Python prints where it was, and its last
input is there.
"""

import argparse
import faulthandler
import multiprocessing
import random
import re
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from cyclegan.errors import CycleganError
from scripts.fuzz_damage import damaged
from scripts.fuzz_readers import READERS, Read

say = partial(print, flush=True)

MAX_SECONDS, MAX_MEBIBYTES = 5.0, 1024.0  # of one input
HANGING_SECONDS = 30.0  # after which a reader is ended


@dataclass
class FuzzResult:
    """What happened to the inputs of one reader."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0  # of the slowest input
    mebibytes: float = 0.0  # of the largest
    finds: dict[str, Path] = field(default_factory=dict)  # problem -> the first input with it


def fuzz(name: str, inputs: int, seed: int, finds: Path) -> FuzzResult:
    """Feed a reader that many inputs, which follow from the seed alone."""
    result, rng = FuzzResult(), random.Random(f"{name} {seed}")
    torch.set_num_threads(1)
    finds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files, read = READERS[name](Path(folder))
        valid = {path: path.read_bytes() for path in files}
        for _ in range(inputs):
            path = rng.choice(files)
            data = damaged(valid[path], rng)
            path.write_bytes(data)
            last = finds / f"{name}-last{path.suffix}"  # remains if this process dies
            last.write_bytes(data)
            for problem in feed(read, path, result):
                saved = finds / f"{name}-{len(result.finds)}{path.suffix}"
                if result.finds.setdefault(problem, saved) is saved:
                    saved.write_bytes(data)
            last.unlink()
            # A reader may change other files of its folder: every input meets the same ones.
            for changed, content in valid.items():
                changed.write_bytes(content)
    return result


def feed(read: Read, path: Path, result: FuzzResult) -> list[str]:
    """Read one input, count it, and return the problems it made."""
    problems = []
    faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
    before, started = memory("VmRSS", reset_peak=True), time.process_time()
    try:
        read(path)
        result.accepted += 1
    except CycleganError:
        result.refused += 1
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if "cyclegan" in Path(frame.filename).parts]
        where = f"{Path(inside[-1].filename).name}:{inside[-1].lineno}" if inside else "?"
        problems.append(f"{type(error).__name__} at {where}")
    seconds, mebibytes = time.process_time() - started, memory("VmHWM") - before
    faulthandler.cancel_dump_traceback_later()
    problems += ["too slow"] if seconds > MAX_SECONDS else []
    problems += ["too much memory"] if mebibytes > MAX_MEBIBYTES else []
    result.seconds, result.mebibytes = max(result.seconds, seconds), max(result.mebibytes, mebibytes)
    return problems


def memory(line: str, *, reset_peak: bool = False) -> float:
    """Return a line of this process's memory as Linux counts it, in MiB; 0 elsewhere."""
    with suppress(OSError):
        if reset_peak:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        match = re.search(rf"{line}:\s+(\d+) kB", status)
        return int(match[1]) / 1024 if match else 0.0
    return 0.0


def main() -> int:
    """Fuzz every reader and print a table; return 1 if there is a find."""
    parser = argparse.ArgumentParser(description="Feed damaged and hostile files to everything that reads files.")
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], metavar="READER")
    parser.add_argument("--inputs", type=int, default=25_000, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finds", type=Path, default=Path("finds"), help="where inputs with problems are saved")
    options = parser.parse_args()
    say(f"{'reader':<10} {'inputs':>8} {'accepted':>9} {'refused':>8} {'finds':>6} {'worst s':>8} {'worst MiB':>10}")
    failed = False
    for name in options.readers or READERS:
        try:
            with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
                result = pool.submit(fuzz, name, options.inputs, options.seed, options.finds).result()
        except BrokenProcessPool:
            say(f"{name:<10} its process died; the last input is in {options.finds}")
            failed = True
            continue
        say(
            f"{name:<10} {options.inputs:>8} {result.accepted:>9} {result.refused:>8} {len(result.finds):>6} "
            f"{result.seconds:>8.2f} {result.mebibytes:>10.0f}",
        )
        for problem, path in result.finds.items():
            say(f"    {problem}: {path}")
        failed = failed or bool(result.finds)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
