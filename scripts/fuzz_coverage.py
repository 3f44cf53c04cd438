"""Fuzz parsers of foreign bytes, guided by the lines of ours that they reach; run from the repository's root.

    python -m scripts.fuzz_coverage PARSER [--runs 2000000] [--seconds 0] [--seed 1] [--corpus DIR] [--finds DIR]
    python -m scripts.fuzz_coverage --replay

Each parser (`fuzz_parsers.py`) begins with valid inputs and with the stored ones of `tests/fuzz_corpus/`, and keeps in
DIR what reaches new lines. It may succeed or raise a `CycleganError`. Any other error, 10 s, or 64 MiB more memory than
the input has is a find: the run ends, and the input is saved. This needs atheris (`pip install atheris`);
`--replay` does not: it reads the valid and the stored inputs once.
"""

import argparse
import hashlib
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

say = partial(print, flush=True)

MEMORY_DISK = Path("/dev/shm")
STORED = Path("tests/fuzz_corpus")
MAX_SECONDS, MAX_MEBIBYTES = 10, 64.0  # of one input; the second beside its own size
MAX_UNNOTICED = 4.0  # MiB by which the peak may rise before it is set back


class Watched:
    """A parser that is watched: what it raises, and how much time and memory it takes at most."""

    def __init__(self, parse: Callable[[bytes], object], refusal: type[Exception]) -> None:
        self.parse, self.refusal = parse, refusal
        self.inputs = self.refused = 0
        self.seconds = self.mebibytes = 0.0  # of the worst input
        self.peak = peak_memory(set_back=True)

    def __call__(self, data: bytes) -> None:
        """Parse one input; more memory than allowed is a `MemoryError`."""
        started = time.process_time()
        self.inputs += 1
        try:
            self.parse(data)
        except self.refusal:
            self.refused += 1
        self.seconds = max(self.seconds, time.process_time() - started)
        self._check_memory(len(data) / 2**20)

    def _check_memory(self, size: float) -> None:
        risen = peak_memory() - self.peak
        if risen > MAX_UNNOTICED:
            self.mebibytes = max(self.mebibytes, risen)
            self.peak = peak_memory(set_back=True)
        if risen > MAX_MEBIBYTES + size:
            raise MemoryError(f"it took {risen:.0f} MiB")


def peak_memory(*, set_back: bool = False) -> float:
    """Return the most memory that this process has held at once, in MiB; set back, that since now (on Linux)."""
    if set_back:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fuzz(options: argparse.Namespace) -> None:
    """Fuzz one parser; libFuzzer prints what it did and ends this process."""
    import atheris

    with atheris.instrument_imports(include=["cyclegan"]):
        from cyclegan.errors import CycleganError
        from scripts.fuzz_parsers import PARSERS
    parser, corpus = PARSERS[options.parser], options.corpus / options.parser
    corpus.mkdir(parents=True, exist_ok=True)
    options.finds.mkdir(parents=True, exist_ok=True)
    for data in parser.valid():
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    stored = [str(path) for path in [STORED / options.parser] if path.is_dir()]
    flags = {"seed": options.seed, "runs": options.runs, "max_total_time": options.seconds, "timeout": MAX_SECONDS}
    flags |= {"artifact_prefix": f"{options.finds}/{options.parser}-", "print_final_stats": 1, "rss_limit_mb": 0}
    watched = Watched(parser.parse, CycleganError)
    atheris.Setup([sys.argv[0], *(f"-{flag}={value}" for flag, value in flags.items()), str(corpus), *stored], watched)
    atheris.Fuzz()


def replay(_: argparse.Namespace) -> None:
    """Read all valid and stored inputs and print a table; end this process with 1 if there is a find."""
    from cyclegan.errors import CycleganError
    from scripts.fuzz_parsers import PARSERS

    say(f"{'parser':<10} {'inputs':>7} {'refused':>8} {'finds':>6}")
    failed = 0
    for name, parser in PARSERS.items():
        watched, finds = Watched(parser.parse, CycleganError), []
        paths = sorted((STORED / name).glob("*"))
        for source, data in [*(("valid", data) for data in parser.valid()), *((p, p.read_bytes()) for p in paths)]:
            try:
                watched(data)
            except Exception as error:
                finds.append(f"    {type(error).__name__}: {error}: {source}")
        finds += ["    too slow"] if watched.seconds > MAX_SECONDS else []
        say(f"{name:<10} {watched.inputs:>7} {watched.refused:>8} {len(finds):>6}", *finds, sep="\n")
        failed += len(finds)
    sys.exit(int(failed > 0))


def main() -> int:
    """Fuzz a parser, or replay; return 1 if there is a find."""
    parser = argparse.ArgumentParser(description="Fuzz parsers of foreign bytes, guided by coverage.")
    parser.add_argument("parser", nargs="?")
    parser.add_argument("--replay", action="store_true", help="read the stored inputs of all parsers once")
    parser.add_argument("--runs", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=int, default=0, help="after which to end; 0: only after --runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz_corpus"), help="where inputs are kept")
    parser.add_argument("--finds", type=Path, default=Path("finds"), help="where inputs with problems are saved")
    options = parser.parse_args()
    # In a process of its own, as libFuzzer ends the one that it is in; the parsers' files lie in memory if they can.
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as folder:
        os.environ["TMPDIR"] = folder
        process = multiprocessing.get_context("spawn").Process(
            target=replay if options.replay else fuzz, args=[options]
        )
        process.start()
        process.join()
    return int(process.exitcode != 0)


if __name__ == "__main__":
    sys.exit(main())
