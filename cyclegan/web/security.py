"""Who may ask the page for what: this machine's own browser for the page's own parts, and nobody for anything else.

Gradio checks neither the Host of a request, so that a site whose name leads to 127.0.0.1 could read everything, nor
the Origin of one that changes something; and it fetches addresses of other machines when it is asked to.
"""

import ipaddress
import json
import platform
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cyclegan.web.translating import MOST_BYTES, MOST_PICTURES

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MOST_AT_ONCE = MOST_PICTURES * MOST_BYTES + 2**20  # bytes of one upload, with what stands between the files
MOST_KEPT = 4 * 2**30  # bytes of uploads and translations that wait for their hour to end
MOST_SAID = 2**20  # bytes of any other request
UPLOAD = "/gradio_api/upload"
SERVED = re.compile(
    r"/(|config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(static|assets|svelte)/.*)"
    r"|/gradio_api/(info|startup-events|upload|upload_progress|queue/(join|data)|call/.*|cancel|reset|heartbeat/.*"
    r"|file=(?!\w\w+:/).*)",
    re.DOTALL,
)
HOST = re.compile(r"(?P<name>\[[^\[\]]+\]|[^:\[\]]+)(:\d+)?")
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class RefusalError(Exception):
    """A request that is not let through: the status and the sentence of the answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """An ASGI application around another, which sees only requests that are in order."""

    def __init__(self, app: App, place: Path, host: str) -> None:
        self.app = app
        self.place = place
        self.host = host

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request: refuse it, or let the page answer, with headers that keep the browser here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        try:
            self.check_sender(scope)
            self.check_wish(scope)
            if scope["method"] == "POST" and scope["path"] != UPLOAD:
                receive = repeated(await checked_body(receive), receive)
        except RefusalError as refusal:
            await answer(send, refusal)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await self.app(scope, receive, send_guarded)

    def check_sender(self, scope: MutableMapping[str, Any]) -> None:
        """Refuse what does not come from a page of this address."""
        headers = headers_of(scope)
        host = headers.get("host", "")
        if not self.knows(host):
            raise RefusalError(421, "This page is not served under that name; open it at the address that was printed.")
        origin = headers.get("origin")
        if origin not in (None, f"http://{host}", f"https://{host}"):
            raise RefusalError(403, "Requests from other sites are refused.")
        elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if elsewhere and not (headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"):
            raise RefusalError(403, "Requests from other sites are refused.")

    def knows(self, host: str) -> bool:
        """Tell whether a Host is this machine: an address, which nobody can make lead elsewhere, or a name of ours."""
        parts = HOST.fullmatch(host.lower())
        if not parts:
            return False
        name = parts["name"].strip("[]")
        if name in ("localhost", self.host.lower()):
            return True
        here = is_local(self.host)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return not here and name == platform.node().lower()
        return address.is_loopback or not here

    def check_wish(self, scope: MutableMapping[str, Any]) -> None:
        """Refuse what is no part of the page, or too large."""
        path = scope["path"]
        if not SERVED.fullmatch(path):
            raise RefusalError(404, "There is nothing here.")
        headers = headers_of(scope)
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            raise RefusalError(411, "Say how long the request is.")
        if int(length) > (MOST_AT_ONCE if path == UPLOAD else MOST_SAID):
            raise RefusalError(
                413, f"That is too much at once: uploads have at most {MOST_AT_ONCE >> 20} MiB together."
            )
        if path == UPLOAD and int(length) + bytes_in(self.place) > MOST_KEPT:
            raise RefusalError(507, "Too many pictures wait to be cleared away; try again in an hour, or start anew.")


def is_local(host: str) -> bool:
    """Tell whether a server on this address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def headers_of(scope: MutableMapping[str, Any]) -> dict[str, str]:
    """Return the headers of a request; of one that is there twice, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def bytes_in(folder: Path) -> int:
    """Return how large the files in a folder are together."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it has just been cleared away
            total += path.lstat().st_size
    return total


async def checked_body(receive: Receive) -> bytes:
    """Return the body of a request that names no file on another machine, which would be fetched."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        json.loads(body, object_hook=refuse_outside)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, "That is no JSON.") from error
    return body


def refuse_outside(entry: dict[str, Any]) -> dict[str, Any]:
    """Raise a refusal for a file that is an address."""
    if "://" in str(entry.get("path", "")):
        raise RefusalError(400, "Only pictures that were uploaded are redrawn; nothing is fetched from elsewhere.")
    return entry


def repeated(body: bytes, receive: Receive) -> Receive:
    """Return a way to receive a body that was read already, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def answer(send: Send, refusal: RefusalError) -> None:
    """Send a refusal as plain text."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{refusal}\n".encode()})
