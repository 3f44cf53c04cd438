"""The scenarios of the scripts, with the pictures, models and archives that they need."""

import argparse
import io
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.pool import Pool
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image

from cyclegan.config import build_config
from scripts.reliability.disk import Tree, read_tree
from scripts.reliability.program import fresh_processes, has_strace
from scripts.reliability.scenarios import Scenario, Training
from scripts.untrained_model import write_untrained_model

say = partial(print, flush=True)

SMALL = {"data": {"size": 32}, "generator": {"width": 4, "blocks": 1}, "discriminator": {"width": 4, "layers": 2}}
PICTURES = ("1.png", "2.jpg", "deeper/3.webp", "deeper/4.tif", "5.png")  # the last has 16 bits
EVERY_STEP = ("logging.every=1", "logging.save_minutes=0", "logging.samples_every=2", "logging.samples=1")


class Inputs:
    """Files that the scenarios read, in a folder of their own."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        for number, name in enumerate(("horses", "zebras", "held_a", "held_b")):
            for index, path in enumerate(PICTURES):
                write_noise(folder / name / path, seed=10 * number + index)
        write_untrained_model(folder / "model.safetensors", build_config(SMALL, {"training": {"seed": 1}}))
        write_untrained_model(folder / "teacher" / "model.safetensors", build_config(SMALL))
        (folder / "set.zip").write_bytes(zipped(folder / "horses", folder / "zebras"))

    def path(self, name: str) -> str:
        """Return the path of an input."""
        return str(self.folder / name)

    def scenarios(self) -> dict[str, Scenario]:
        """Return the scenarios by name."""
        train, translate, export = self.train, self.translate, ("export", self.path("model.safetensors"), "--output")
        return {
            "train": Training((*train, *self.held_out, "--max-steps", "4")),
            "distill": Training((*train, *settings(f"training.teacher={self.path('teacher')}"), "--max-steps", "2")),
            "translate": Scenario((*translate, "--output", "out")),
            "overwrite": Scenario((*translate, "--output", "out", "--overwrite"), before=self.old_outputs()),
            "archive": Scenario((*translate, "--output", "out.zip"), again=None),
            "export": Scenario((*export, "out", "--format", "reference"), again=("--overwrite",)),
            "half": Scenario((*export, "half.safetensors", "--half"), again=None),
            "unpack": Scenario(("download", "own", "--from", self.path("set.zip")), again=None),
            "download": Scenario(("download", "own", "--from", f"{self.address}/set.zip"), again=None),
        }

    def more_scenarios(self) -> dict[str, Scenario]:
        """Return those of several processes, and of no end."""
        return {
            "ranks": Training((*self.train, *self.held_out, "--max-steps", "4", *settings("machine.devices=2"))),
            "watch": Scenario((*self.translate, "--output", "out", "--watch"), outputs=len(PICTURES)),
        }

    @property
    def train(self) -> tuple[str, ...]:
        """The arguments of a training that saves after every step."""
        train = ("train", self.path("horses"), self.path("zebras"), "--name", "run", "--preset", "tiny")
        return (*train, "--device", "cpu", "--progress", "none", *settings(*EVERY_STEP))

    @property
    def held_out(self) -> tuple[str, ...]:
        """The arguments of its validation."""
        held_out = ("--validate-a", self.path("held_a"), "--validate-b", self.path("held_b"))
        return (*held_out, *settings("logging.validate_every=1"))

    @property
    def translate(self) -> tuple[str, ...]:
        """The arguments of a translation of a folder."""
        return ("translate", self.path("horses"), "--model", self.path("model.safetensors"), "--device", "cpu")

    def old_outputs(self) -> Tree:
        """Return what an earlier translation might have written: the pictures themselves."""
        return {"out": None} | {f"out/{path}": content for path, content in read_tree(self.folder / "horses").items()}


def settings(*assignments: str) -> tuple[str, ...]:
    """Return settings as options."""
    return tuple(word for assignment in assignments for word in ("--set", assignment))


def write_noise(path: Path, seed: int) -> None:
    """Write a small picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    if path.name == "5.png":
        Image.fromarray(rng.integers(0, 2**16, (40, 48), dtype=np.uint16)).save(path)
    else:
        Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(path)


def zipped(folder_a: Path, folder_b: Path) -> bytes:
    """Return the archive of a data set with these folders."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, folder in (("trainA", folder_a), ("trainB", folder_b)):
            for path in sorted(folder.glob("*.*")):
                archive.write(path, f"set/{name}/{path.name}")
    return file.getvalue()


class Resumable(SimpleHTTPRequestHandler):
    """Serves files, also from a byte on, and says nothing about it."""

    pieces, pause = 1, 0.0  # a file is sent in so many pieces, with so many seconds before each

    def do_GET(self) -> None:
        """Send a file, or its rest."""
        content = Path(self.translate_path(self.path)).read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        step = -(-len(content) // self.pieces)
        with suppress(ConnectionError):  # of a client that was killed
            for offset in range(start, len(content), step):
                time.sleep(self.pause)
                self.wfile.write(content[offset : offset + step])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def prepared(folder: Path, handler: type[Resumable] = Resumable) -> Iterator[Inputs]:
    """Write the inputs into a folder, and serve it on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Inputs(folder, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()


def scenario_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the arguments that the scripts share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def try_scenarios(
    test: Callable[[Pool, str, Scenario, Path, argparse.Namespace], int],
    heading: str,
    options: argparse.Namespace,
    *,
    needs_strace: bool = True,
) -> int:
    """Print the heading, test each scenario that is asked for in a folder of its own, and return the exit status.

    `test` prints a row and returns the number of failures: the status is 1 if there is one, 2 without a strace that is
    needed.
    """
    if needs_strace and not has_strace():
        say("This needs strace.")
        return 2
    say(f"{heading}   seed {options.seed}")
    with tempfile.TemporaryDirectory() as temporary, fresh_processes() as pool:
        folder = Path(temporary).resolve()
        with prepared(folder / "inputs") as inputs:
            scenarios, failed = inputs.scenarios(), 0
            for name in options.scenarios or scenarios:
                (folder / name).mkdir()
                failed += test(pool, name, scenarios[name], folder / name, options)
    return int(failed > 0)
