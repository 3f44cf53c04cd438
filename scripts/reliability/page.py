"""The page, served by a process of its own, and what a browser asks of it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from cyclegan.config import build_config
from scripts.reliability.prepared import SMALL
from scripts.untrained_model import write_untrained_model

SECONDS_TO_START, SECONDS_TO_ANSWER = 300, 300


@dataclass(frozen=True)
class Page:
    """A page that is being served."""

    address: str
    process: psutil.Process
    errors: Path  # what it wrote on its standard error
    functions: dict[str, int]  # the numbers of its functions, by name

    @contextmanager
    def session(self, name: str) -> Iterator["Session"]:
        """Open the page, as one browser does."""
        with httpx.Client(base_url=self.address, timeout=SECONDS_TO_ANSWER) as client:
            yield Session(self, name, client)


@dataclass(frozen=True)
class Session:
    """One browser with the page open; its name is known to no other."""

    page: Page
    name: str
    http: httpx.Client

    def upload(self, files: Sequence[tuple[str, bytes]]) -> httpx.Response:
        """Upload files, of names and contents."""
        return self.http.post("/gradio_api/upload", files=[("files", file) for file in files])

    def call(self, function: str, *arguments: Any) -> list[Any] | str:
        """Call a function of the page and wait; return its outputs, or an error message."""
        asked = {"data": arguments, "fn_index": self.page.functions[function], "session_hash": self.name}
        joined = self.http.post("/gradio_api/queue/join", json=asked)
        if joined.status_code != httpx.codes.OK:
            return joined.text
        deadline = time.monotonic() + SECONDS_TO_ANSWER  # the page sends heartbeats, so that no read times out
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.name}) as lines:
            for line in lines.iter_lines():
                if time.monotonic() > deadline:
                    break
                message = json.loads(line.removeprefix("data: ") or "{}")
                if message.get("event_id") == joined.json()["event_id"] and message["msg"] == "process_completed":
                    output = message["output"]
                    return list(output["data"]) if message["success"] else str(output.get("error"))
        return "no answer"

    def translate(self, files: Sequence[tuple[str, bytes]], strength: float) -> list[Any] | str:
        """Upload files and translate them; return the outputs, or an error message."""
        uploaded = self.upload(files)
        if uploaded.status_code != httpx.codes.OK:
            return uploaded.text
        paths = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in uploaded.json()]
        return self.call("translate", paths, None, "a2b", strength, "none", False)

    def file(self, path: str) -> bytes:
        """Return a file of the page."""
        return self.http.get(f"/gradio_api/file={path}").raise_for_status().content


@contextmanager
def serving(folder: Path) -> Iterator[Page]:
    """Serve the page with an untrained model in a folder, in which everything is that the page stores."""
    write_untrained_model(folder / "checkpoints" / "run" / "model.safetensors", build_config(SMALL))
    command = [sys.executable, "-m", "cyclegan", "ui", "--port", "0", "--device", "cpu", "--json"]
    environment = dict(psutil.Process().environ()) | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
    errors = folder / "stderr.txt"
    with (
        errors.open("w") as file,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=file, text=True
        ) as served,
    ):
        try:
            assert served.stdout
            address = json.loads(served.stdout.readline())["address"]
            yield Page(address, psutil.Process(served.pid), errors, functions_of(address))
        finally:
            served.terminate()


def functions_of(address: str) -> dict[str, int]:
    """Wait until the page answers, and return the numbers of its functions."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            answer = httpx.get(f"{address}/config", timeout=SECONDS_TO_START)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return {event["api_name"]: event["id"] for event in answer.json()["dependencies"]}
