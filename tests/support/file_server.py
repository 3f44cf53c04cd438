"""A web server on this machine that can break off, lie, move and change its mind."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Page:
    """A file that is served, and how badly."""

    content: bytes
    tag: str = '"1"'
    cuts: list[int] = field(default_factory=list)  # after so many bytes the next answers break off
    stalls: bool = False  # rather than closing the connection, it stays silent
    claims: int = 0  # bytes that it says it has beyond those that it has
    heeds_if_range: bool = True
    says_length: bool = True
    leads_to: str = ""


class Server(ThreadingHTTPServer):
    """Serves pages by their path, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str | None, int]] = []  # path, range, status
        self.released = threading.Event()

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.server_port}{path}"

    def statuses(self) -> list[int]:
        """Return how each request was answered."""
        return [status for _, _, status in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server

    def do_GET(self) -> None:
        """Serve a page, or what is asked of it."""
        path = urlsplit(self.path).path
        page = self.server.pages.get(path)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if page is None or page.leads_to:
            self.answer(302 if page else 404, {"Location": page.leads_to} if page else {})
            return
        total = len(page.content) + page.claims
        start, status, headers = 0, 200, {"ETag": page.tag} if page.tag else {}
        same = not page.heeds_if_range or self.headers.get("If-Range", page.tag) == page.tag
        if wanted and same:
            start, status = int(wanted[1]), 206
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        if start >= total:
            self.answer(416, {"Content-Range": f"bytes */{total}"})
            return
        if page.says_length:
            headers["Content-Length"] = str(total - start)
        self.answer(status, headers)
        rest = page.content[start:]
        if page.cuts:
            self.wfile.write(rest[: page.cuts.pop(0)])
            self.wfile.flush()
            if page.stalls:
                self.server.released.wait(60)
        else:
            self.wfile.write(rest)

    def answer(self, status: int, headers: dict[str, str]) -> None:
        """Send the head of an answer."""
        self.server.asked.append((urlsplit(self.path).path, self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server on the loopback address."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
