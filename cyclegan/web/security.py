"""Access control: only a browser that opened the page may send requests, and only for parts of the page.

Gradio checks neither the Host of a request (a site whose name resolves to 127.0.0.1 could read everything: DNS
rebinding), nor the Origin of one that changes something, and it fetches URLs of other machines on request.
docs/decisions/0010 says why Starlette's own middleware is not enough.
"""

import ipaddress
import json
import platform
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cyclegan.web.translating import MAX_FILE_BYTES, MAX_PICTURES_PER_REQUEST

MAX_UPLOAD_BYTES = (
    MAX_PICTURES_PER_REQUEST * MAX_FILE_BYTES + 2**20
)  # of one request, with the boundaries between the files
MAX_STORED_BYTES = 4 * 2**30  # of uploads and translations that are not deleted yet
MAX_BODY_BYTES = 2**20  # of any other request
UPLOAD_PATH = "/gradio_api/upload"
ALLOWED_PATHS = re.compile(
    r"/(|config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(static|assets|svelte)/.*)"
    r"|/gradio_api/(info|startup-events|upload|upload_progress|queue/(join|data)|call/.*|cancel|reset|heartbeat/.*"
    r"|file=(?!\w\w+:/).*)",
    re.DOTALL,
)
HOST = re.compile(r"(?P<name>\[[^\[\]]+\]|[^:\[\]]+)(:\d+)?")
RESPONSE_HEADERS = {
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


class SecurityMiddleware:
    """An ASGI application around another; refuses requests and adds headers that keep the browser on this server.

    `uploads` is the folder whose size is limited, `host` the address that the server listens on.
    """

    def __init__(self, app: ASGIApp, uploads: Path, host: str) -> None:
        self.app = app
        self.uploads = uploads
        self.host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            self.check_sender(request)
            self.check_target(request)
            if request.method == "POST" and scope["path"] != UPLOAD_PATH:
                receive = replay(await checked_body(request), receive)
        except HTTPException as refusal:
            await PlainTextResponse(f"{refusal.detail}\n", refusal.status_code)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message).update(RESPONSE_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def check_sender(self, request: Request) -> None:
        """Refuse a request that does not come from a page of this server."""
        headers = request.headers
        host = headers.get("host", "")
        if not self.is_own_host(host):
            raise HTTPException(421, "This page is not served under that name; open it at the printed address.")
        if headers.get("origin") not in (None, f"http://{host}", f"https://{host}"):
            raise HTTPException(403, "Requests from other sites are refused.")
        is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        is_link = headers.get("sec-fetch-mode") == "navigate" and request.scope["path"] == "/"
        if is_foreign and not is_link:
            raise HTTPException(403, "Requests from other sites are refused.")

    def is_own_host(self, host: str) -> bool:
        """Return whether a Host header names this server.

        Numeric addresses do, as no site can make one resolve to another; a server that listens on this machine alone
        accepts only loopback addresses. Of names, only `localhost`, the one it listens on and the machine's do.
        """
        match = HOST.fullmatch(host.lower())
        if not match:
            return False
        name = match["name"].strip("[]")
        if name in ("localhost", self.host.lower()):
            return True
        is_private = is_loopback(self.host)
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return not is_private and name == platform.node().lower()
        return address.is_loopback or not is_private

    def check_target(self, request: Request) -> None:
        """Refuse a request for anything but a part of the page, or one that is too large."""
        path = request.scope["path"]
        if not ALLOWED_PATHS.fullmatch(path):
            raise HTTPException(404, "There is nothing here.")
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal():
            raise HTTPException(411, "A request needs a Content-Length.")
        if int(length) > (MAX_UPLOAD_BYTES if path == UPLOAD_PATH else MAX_BODY_BYTES):
            raise HTTPException(413, f"The request is too large; uploads have at most {MAX_UPLOAD_BYTES >> 20} MiB.")
        if path == UPLOAD_PATH and int(length) + bytes_in(self.uploads) > MAX_STORED_BYTES:
            raise HTTPException(507, "Too many pictures are stored; try again in an hour, or restart the page.")


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server on this address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bytes_in(folder: Path) -> int:
    """Return the size of all files in a folder."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # deleted meanwhile
            total += path.lstat().st_size
    return total


async def checked_body(request: Request) -> bytes:
    """Return the body of a request, JSON without a file on another machine, which gradio would fetch."""
    body = await request.body()
    try:
        json.loads(body, object_hook=refuse_url)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The request is not valid JSON.") from error
    return body


def refuse_url(entry: dict[str, Any]) -> dict[str, Any]:
    """Refuse a file that is a URL."""
    if "://" in str(entry.get("path", "")):
        raise HTTPException(400, "Only uploaded pictures are translated; nothing is fetched from other machines.")
    return entry


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives a body again, and then the messages after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
