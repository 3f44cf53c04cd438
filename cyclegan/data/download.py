"""The network, here alone: files are fetched over TLS, and what an interrupted download left is continued.

Beside a file stands, while it grows, a small one that says what its beginning came from; only more of the same is
added to it. A file that changed meanwhile is fetched anew.
"""

import dataclasses
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cyclegan import __version__
from cyclegan.atomic import write_text
from cyclegan.errors import DownloadError, disk_errors, printable

Progress = Callable[[int, int | None], object]  # bytes that are here, of all, where the server says

PATIENCE = 30.0  # seconds that a server may be silent
TRIES = 4  # at one address, each continuing the one before
BLOCK = 2**18  # bytes, the most that one reading brings


class BrokenOffError(Exception):
    """A connection ended before its file did."""


@dataclass(frozen=True)
class Source:
    """What the beginning of a file came from."""

    url: str
    total: int | None  # bytes of the whole file
    tag: str  # the server's name for this version of it
    modified: str

    @property
    def validator(self) -> str:
        """What a server can compare, for it to send more of this version or all of a newer one."""
        return self.modified if self.tag.startswith("W/") else self.tag or self.modified


def fetch(urls: Sequence[str], path: Path, *, on_progress: Progress = lambda _here, _total: None) -> None:
    """Download into `path` from the first of `urls` that serves it, continuing what an earlier try left there."""
    failures = []
    for url in urls:
        try:
            if any(_came_whole(url, path, on_progress) for _ in range(TRIES)):
                return
            failures.append(f"{host_of(url)} sent a part only")
        except DownloadError as error:
            failures.append(str(error))
    raise DownloadError(
        f"the download failed: {'; '.join(failures)}.",
        "What came is kept: the same command continues."
        if _size(path)
        else "Try again later, or from another place with --from.",
    )


def host_of(url: str) -> str:
    """Return the server's name; the rest of an address may hold what is nobody else's business."""
    return printable(urllib.parse.urlsplit(url).hostname or url)


def _came_whole(url: str, path: Path, on_progress: Progress) -> bool:
    """Ask once for what is missing of a file and add it; return whether nothing is missing now."""
    begun, here = _begun(url, path), _size(path)
    if begun and here == begun.total:
        return True
    with _ask(url, begun, here) as answer:
        source, start = _described(url, answer)
        if answer.status != HTTPStatus.OK and (source, start) != (begun, here):
            _forget(path)
            return False  # it changed, so it is asked for from its beginning
        if start == 0:
            _forget(path)
            write_text(_notes(path), json.dumps(dataclasses.asdict(source)))
        try:
            with disk_errors(path), path.open("ab") as file:
                for block in _blocks(answer):
                    file.write(block)
                    file.flush()  # so that a kill loses nothing
                    on_progress(file.tell(), source.total)
        except BrokenOffError:
            return False
    return source.total in (None, _size(path))


def _forget(path: Path) -> None:
    """Delete what was downloaded of a file."""
    with disk_errors(path):
        path.unlink(missing_ok=True)
        _notes(path).unlink(missing_ok=True)


def _blocks(answer: Any) -> Iterator[bytes]:
    """Yield what a server sends, as it comes."""
    try:
        while block := answer.read1(BLOCK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise BrokenOffError from error


def _ask(url: str, begun: Source | None, here: int) -> Any:
    """Open an address, from byte `here` on if the file is still the one that was begun."""
    headers = {"User-Agent": f"cyclegan/{__version__}", "Accept-Encoding": "identity"}
    if begun:
        headers["Range"] = f"bytes={here}-"
        if begun.validator:
            headers["If-Range"] = begun.validator
    host = host_of(url)
    try:
        return OPENER.open(urllib.request.Request(url, headers=headers), timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if begun and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error  # an answer like others: the file is shorter now
        raise DownloadError(f"{host} answered {error.code} {http.client.responses.get(error.code, '')}") from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{host} cannot be reached ({_reason(error.reason)})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"{host} gave no answer ({_reason(error)})") from error


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from TLS to anything else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0913
        """Return the request that a redirect asks for."""
        allowed = ("https",) if req.type == "https" else ("https", "http")
        if urllib.parse.urlsplit(newurl).scheme not in allowed:
            raise DownloadError(f"{host_of(req.full_url)} leads elsewhere by another way than TLS, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


OPENER = urllib.request.build_opener(Redirects)


def _described(url: str, answer: Any) -> tuple[Source, int]:
    """Return what an answer says of its file, and at which byte it starts."""
    total, start = answer.headers.get("Content-Length"), 0
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        span, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start = _number(span.partition("-")[0]) or 0
    tag, modified = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return Source(url, _number(total), tag, modified), start


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _reason(error: object) -> str:
    """Return what the system says of a failed connection."""
    return "no sign of life" if isinstance(error, TimeoutError) else str(getattr(error, "strerror", None) or error)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _notes(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _begun(url: str, path: Path) -> Source | None:
    """Return what the beginning of a file came from, if more of the same can be had from `url`."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        source = Source(**json.loads(_notes(path).read_text(encoding="utf-8")))
        if source.url == url and source.total is not None and _size(path):
            return source
    return None
