"""The page, served by a process of its own that may reach nothing but this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

CONFINED = """
import sys

def refuse(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        asked = arguments[0] if event in ("socket.getaddrinfo", "socket.gethostbyname") else arguments[1]
        host = asked[0] if isinstance(asked, tuple) else asked
        if host not in ("127.0.0.1", "::1", "localhost", None):
            open("attempts.txt", "a").write(f"{event} {host}\\n")
            raise PermissionError(f"{event} {host}")

sys.addaudithook(refuse)
BEFORE
from cyclegan.cli import main
main()
"""


@dataclass
class Served:
    """A page that is being served."""

    folder: Path
    address: str
    process: subprocess.Popen[str]

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for something."""
        return httpx.get(self.address + path, headers=headers, timeout=60)

    def upload(self, *files: tuple[str, bytes]) -> httpx.Response:
        """Upload files, of names and contents."""
        return httpx.post(f"{self.address}/gradio_api/upload", files=[("files", file) for file in files], timeout=60)

    def ask(
        self,
        paths: list[str],
        *,
        model: str | None = None,
        strength: float = 1,
        keep: str = "auto",
        scores: bool = False,
    ) -> str:
        """Ask for translations, and return the number of the request."""
        files = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
        answer = httpx.post(
            f"{self.address}/gradio_api/call/translate",
            json={"data": [files, model, "a2b", strength, keep, scores]},
            timeout=60,
        )
        answer.raise_for_status()
        return answer.json()["event_id"]

    def answer(self, event: str) -> tuple[str, Any]:
        """Wait for the answer to a request: `complete` or `error`, and what comes with it."""
        with httpx.stream("GET", f"{self.address}/gradio_api/call/translate/{event}", timeout=120) as lines:
            kind = ""
            for line in lines.iter_lines():
                name, _, value = line.partition(": ")
                kind = value if name == "event" else kind
                if name == "data" and kind in ("complete", "error"):
                    return kind, json.loads(value)
        raise AssertionError("no answer")

    def attempts(self) -> str:
        """Return which connections to elsewhere were refused."""
        log = self.folder / "attempts.txt"
        return log.read_text() if log.exists() else ""

    def said(self) -> str:
        """Return what the process wrote on its standard error."""
        return (self.folder / "stderr.txt").read_text()


@contextmanager
def serving(folder: Path, *options: str, before: str = "") -> Iterator[Served]:
    """Serve the page of what is in a folder, with options of `cyclegan ui`, some Python done before."""
    program = CONFINED.replace("BEFORE", before)
    command = [sys.executable, "-c", program, "ui", "--port", "0", "--device", "cpu", "--json", *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    with (
        (folder / "stderr.txt").open("w") as errors,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line, (folder / "stderr.txt").read_text()
            served = Served(folder, json.loads(line)["address"], process)
            wait_for(served)
            yield served
        finally:
            process.terminate()


def wait_for(served: Served) -> None:
    """Wait until the page answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            served.get("/")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(served.said())
