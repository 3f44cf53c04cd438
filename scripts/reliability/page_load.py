"""Let many clients use the page at once; run from the repository's root.

    python -m scripts.reliability.page_load [--clients 50] [--minutes 10] [--seed 0]

Each client translates pictures that show its number and their own as a pattern, and reads these numbers in what it
gets. Between them it uploads clips and hostile files, and asks with the names and cookies of other sites, and for files
elsewhere. Half-way files of the page are limited to a few bytes for a twentieth of the time, in place of a full disk.
"""

import argparse
import io
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Event, Lock, Thread

import httpx
import numpy as np
import psutil
from PIL import Image

from cyclegan.text import printable
from scripts.reliability.page import Page, Session, serving
from scripts.reliability.prepared import say

CELL, COLUMNS, ROWS = 8, 8, 4  # of a pattern: a square of pixels for each bit
STRENGTH = 0.25  # of the translation, so that the pattern remains
BYTES_ON_FULL_DISK = 100
SAMPLES = 40  # of memory, over the whole time
MAX_GROWTH_MIB = 64  # MiB that the allocators may keep to themselves
STRANGERS = (
    {"host": "evil.example"},
    {"host": ""},
    {"host": "10.0.0.1"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
)
ELSEWHERE = (
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file=../../../etc/passwd",
    "/gradio_api/file=checkpoints",
    "/gradio_api/file=http://127.0.0.1/x",
    "/gradio_api/proxy=http://x",
    "/gradio_api/run/translate",
    "/static/..%2f..%2froutes.py",
    "/assets/%2e%2e/%2e%2e/index.html",
    "/monitoring",
    "/docs",
)
TRACEBACK = "Traceback (most recent call last)"
FOREIGN = "these are others:"  # begins the worst of problems
REFUSED = (400, 403, 404, 405, 411, 413, 421, 431)


@dataclass
class Results:
    """What all clients found."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    full: tuple[float, float] = (math.inf, math.inf)  # from when until when the disk was full
    lock: Lock = field(default_factory=Lock)

    def add(self, action: str, problem: str) -> None:
        """Count an action, and what was wrong."""
        with self.lock:
            self.counts[action] += 1
            if problem:
                self.problems[f"{action}: {printable(problem)[:200]}"] += 1


@dataclass
class Client:
    """One user with a browser; `number` is shown by its pictures."""

    number: int
    page: Page
    results: Results
    rng: random.Random
    pictures: int = 0

    def use(self, ended: Event) -> None:
        """Do one thing after the other."""
        actions: dict[Callable[[Session], str], int] = {
            self.translate: 6,
            self.upload_clip: 1,
            self.upload_hostile: 1,
            self.ask_as_stranger: 2,
            self.ask_elsewhere: 1,
        }
        while not ended.is_set():
            [action] = self.rng.choices([*actions], [*actions.values()])
            started = time.monotonic()
            try:
                with self.page.session(self.new_name()) as session:
                    problem = action(session)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if time.monotonic() > self.results.full[0] and started < self.results.full[1]:
                # Then an action may fail, but must not return another one's pictures.
                self.results.add("while the disk was full", problem if problem.startswith(FOREIGN) else "")
            else:
                self.results.add(action.__name__, problem)

    def translate(self, session: Session) -> str:
        """Translate pictures; return what is wrong with the translations or their previews."""
        numbers = [self.number << 16 | self.next_picture() for _ in range(self.rng.randint(1, 3))]
        files = [(f"{number}.png", pattern(number)) for number in numbers]
        outputs = session.translate(files, STRENGTH)
        if isinstance(outputs, str):
            return outputs
        names = [file["orig_name"] for file in outputs[0]["value"]]
        pictures = [session.file(file["path"]) for file in outputs[0]["value"]]
        previews = session.call("preview", None)
        if isinstance(previews, str):
            return previews
        first = [session.file(file["path"]) for file in previews[0]]
        with session.page.session(self.new_name()) as another:
            stolen = another.call("preview", None)
        if isinstance(stolen, list) and stolen[0]:
            return f"{FOREIGN} previews in another session"
        found = [*map(shown_number, pictures), *map(shown_number, first)]
        expected = [*numbers, numbers[0], numbers[0]]
        return (
            "" if found == expected and names == [name for name, _ in files] else f"{FOREIGN} {found}, not {expected}"
        )

    def new_name(self) -> str:
        """Return a name for a session."""
        return f"{self.rng.getrandbits(64):x}"

    def next_picture(self) -> int:
        """Return a number that no picture of this client had."""
        self.pictures += 1
        return self.pictures

    def upload_clip(self, session: Session) -> str:
        """Upload a video or an animation, which the page does not translate."""
        frames = [Image.new("L", (20, 20), level) for level in (0, 255)]
        clips = {"clip.mp4": self.rng.randbytes(5000), "moves.gif": encoded(frames[0], "GIF", frames[1:])}
        return self.refused(session, *self.rng.choice([*clips.items()]), words=("Invalid file type", "is an animation"))

    def upload_hostile(self, session: Session) -> str:
        """Upload a file that is not what it claims to be."""
        sound = pattern(0)
        files = {
            "text.jpg": b"not a picture",
            "cut.png": sound[: len(sound) // 2],
            "empty.png": b"",
            "noise.webp": self.rng.randbytes(3000),
            "<b>&.png": self.rng.randbytes(300),
            "../../up.png": b"up",
            "bomb.png": bomb(),
        }
        words = ("is not a picture", "is damaged", "is empty", "more than")
        return self.refused(session, *self.rng.choice([*files.items()]), words=words)

    def refused(self, session: Session, name: str, content: bytes, *, words: tuple[str, ...]) -> str:
        """Upload a file beside a sound one; return a problem unless a message says what is wrong with it."""
        number = self.number << 16
        outputs = session.translate([(name, content), ("sound.png", pattern(number))], STRENGTH)
        said = outputs if isinstance(outputs, str) else outputs[2]["value"]
        if not any(word in said for word in words):
            return f"{name}: {said}"
        if isinstance(outputs, str):
            return ""
        found = [shown_number(session.file(file["path"])) for file in outputs[0]["value"]]
        return "" if found == [number] else f"{FOREIGN} {found}, not {number}, beside {name}"

    def ask_as_stranger(self, session: Session) -> str:
        """Ask with headers that no browser sends which has the page open."""
        headers = self.rng.choice(STRANGERS)
        answer = session.http.post("/gradio_api/queue/join", headers=headers)
        if answer.status_code not in REFUSED:
            return f"{headers} got {answer.status_code}"
        # Cookies mean nothing here: the page has no accounts.
        cookies = {"cookie": f"access-token={self.rng.randbytes(8).hex()}; session={'x' * 4000}"}
        answer = session.http.get("/config", headers=cookies)
        return "" if answer.status_code == httpx.codes.OK else f"a cookie got {answer.status_code}"

    def ask_elsewhere(self, session: Session) -> str:
        """Ask for files and paths that are not of the page."""
        path = self.rng.choice([*ELSEWHERE, f"/gradio_api/file={self.page.errors}"])
        answer = session.http.get(path)
        return "" if answer.status_code in REFUSED else f"{path} got {answer.status_code}"


def pattern(number: int) -> bytes:
    """Return a PNG that shows a number of 32 bits."""
    bits = np.array([number >> bit & 1 for bit in range(COLUMNS * ROWS)], np.uint8).reshape(ROWS, COLUMNS)
    pixels = np.kron(bits * 160 + 48, np.ones((CELL, CELL), np.uint8))
    return encoded(Image.fromarray(pixels.astype(np.uint8)).convert("RGB"), "PNG")


@cache
def bomb() -> bytes:
    """Return a PNG of more pixels than the page takes."""
    return encoded(Image.new("RGB", (9000, 9000)), "PNG")


def shown_number(content: bytes) -> int:
    """Return the number that a picture shows."""
    with Image.open(io.BytesIO(content)) as picture:
        grey = np.asarray(picture.convert("L"), np.float32)
    cells = grey.reshape(ROWS, CELL, COLUMNS, CELL).mean(axis=(1, 3)).reshape(-1)
    return sum(int(level > 128) << bit for bit, level in enumerate(cells))


def encoded(picture: Image.Image, image_format: str, more: list[Image.Image] | None = None) -> bytes:
    """Return a picture, or an animation, as a file."""
    file = io.BytesIO()
    picture.save(file, image_format, **({"save_all": True, "append_images": more} if more else {}))
    return file.getvalue()


def fill_disk(page: Page, results: Results, seconds: float) -> None:
    """Limit the size of the page's files for a time."""
    unlimited = page.process.rlimit(psutil.RLIMIT_FSIZE)
    results.full = time.monotonic(), math.inf
    page.process.rlimit(psutil.RLIMIT_FSIZE, (BYTES_ON_FULL_DISK, unlimited[1]))
    time.sleep(seconds)
    page.process.rlimit(psutil.RLIMIT_FSIZE, unlimited)
    results.full = results.full[0], time.monotonic()


def load(page: Page, options: argparse.Namespace) -> Results:
    """Let all clients use the page for the time that is asked for, and print its memory."""
    results, ended = Results(), Event()
    clients = [
        Client(number, page, results, random.Random(f"{options.seed} {number}"))
        for number in range(1, options.clients + 1)
    ]
    threads = [Thread(target=client.use, args=(ended,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    interval, memory = 60 * options.minutes / SAMPLES, list[float]()
    for sample in range(SAMPLES):
        if sample == SAMPLES // 2:
            fill_disk(page, results, interval)
        time.sleep(interval)
        memory.append(page.process.memory_info().rss / 2**20)
        say(f"{(sample + 1) * interval:6.0f} s {memory[-1]:6.0f} MiB {page.process.num_fds():5d} files "
            f"{page.process.num_threads():4d} threads {results.counts.total():7,d} done")  # fmt: skip
    ended.set()
    for thread in threads:
        thread.join()
    # The first quarter warms up: it loads the model and fills caches.
    if (growth := memory[-1] - max(memory[: SAMPLES // 4])) > MAX_GROWTH_MIB:
        results.problems[f"memory grew by {growth:.0f} MiB"] += 1
    return results


def main() -> int:
    """Print what was done and what went wrong; return 1 if something did."""
    parser = argparse.ArgumentParser(description="Let many clients use the page at once.")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        with serving(folder) as page:
            results = load(page, options)
        said = (folder / "stderr.txt").read_text(encoding="utf-8")
    say(", ".join(f"{count:,} {action}" for action, count in sorted(results.counts.items())))
    if TRACEBACK in said:
        results.problems[f"{said.count(TRACEBACK)} tracebacks; the end: {said[-500:]}"] += 1
    for problem, times in results.problems.most_common():
        say(f"problem: {times} x {problem}")
    return int(bool(results.problems))


if __name__ == "__main__":
    sys.exit(main())
