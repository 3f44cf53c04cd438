"""Downloads over HTTP, which resume; the only module that contacts other machines.

Beside a partial file lies a JSON file that names its source. Only more bytes of the same version are appended; a file
that changed on the server is downloaded from its start.
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
from cyclegan.errors import DownloadError, disk_errors
from cyclegan.text import printable

OnProgress = Callable[[int, int | None], object]  # bytes done and, if the server says it, in all

TIMEOUT_SECONDS = 30.0  # without a byte from the server
MAX_TRIES = 4  # for one URL, each resuming the one before
BLOCK_BYTES = 2**18


class ConnectionLostError(Exception):
    """A connection ended before the file was complete."""


@dataclass(frozen=True)
class PartialFile:
    """The source of a partial file."""

    url: str
    total: int | None  # bytes of the complete file
    etag: str
    modified: str

    @property
    def validator(self) -> str:
        """The value of If-Range, which allows no weak ETag."""
        return self.modified if self.etag.startswith("W/") else self.etag or self.modified


def fetch(urls: Sequence[str], path: Path, *, on_progress: OnProgress = lambda _done, _total: None) -> None:
    """Download into `path` from the first of `urls` that serves the file; a partial file is resumed."""
    failures = []
    for url in urls:
        try:
            if any(_try_to_complete(url, path, on_progress) for _ in range(MAX_TRIES)):
                return
            failures.append(f"{host_of(url)} sent only a part of the file")
        except DownloadError as error:
            failures.append(str(error))
    raise DownloadError(
        f"the download failed: {'; '.join(failures)}.",
        "The same command resumes the download."
        if _size(path)
        else "Try again later, or from another source with --from.",
    )


def host_of(url: str) -> str:
    """Return the host of a URL for messages; the rest may hold secrets."""
    return printable(urllib.parse.urlsplit(url).hostname or url)


def _try_to_complete(url: str, path: Path, on_progress: OnProgress) -> bool:
    """Request the missing bytes of a file once and append them; return whether it is complete now."""
    partial, size = _partial_source(url, path), _size(path)
    if partial and size == partial.total:
        return True
    with _request(url, partial, size) as response:
        source, start = _source_of(url, response)
        if response.status != HTTPStatus.OK and (source, start) != (partial, size):
            _delete(path)
            return False  # it changed on the server; the next try starts from zero
        if start == 0:
            _delete(path)
            write_text(_source_file(path), json.dumps(dataclasses.asdict(source)))
        try:
            with disk_errors(path), path.open("ab") as file:
                for block in _blocks(response):
                    file.write(block)
                    file.flush()  # a killed process loses nothing
                    on_progress(file.tell(), source.total)
        except ConnectionLostError:
            return False
    return source.total in (None, _size(path))


def _delete(path: Path) -> None:
    """Delete a partial file and its source file."""
    with disk_errors(path):
        path.unlink(missing_ok=True)
        _source_file(path).unlink(missing_ok=True)


def _blocks(response: Any) -> Iterator[bytes]:
    """Yield the bytes of a response as they arrive."""
    try:
        while block := response.read1(BLOCK_BYTES):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionLostError from error


def _request(url: str, partial: PartialFile | None, size: int) -> Any:
    """Open a URL, from byte `size` on if the file is still the version of the partial one."""
    headers = {"User-Agent": f"cyclegan/{__version__}", "Accept-Encoding": "identity"}
    if partial:
        headers["Range"] = f"bytes={size}-"
        if partial.validator:
            headers["If-Range"] = partial.validator
    host = host_of(url)
    try:
        return OPENER.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if partial and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return error  # a response like others: the file is shorter now
        raise DownloadError(f"{host} answered {error.code} {http.client.responses.get(error.code, '')}") from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{host} cannot be reached ({_reason(error.reason)})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"{host} does not respond ({_reason(error)})") from error


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from TLS to anything else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0913
        """Return the redirected request."""
        allowed = ("https",) if req.type == "https" else ("https", "http")
        if urllib.parse.urlsplit(newurl).scheme not in allowed:
            raise DownloadError(f"{host_of(req.full_url)} redirects to an address without TLS, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


OPENER = urllib.request.build_opener(Redirects)


def _source_of(url: str, response: Any) -> tuple[PartialFile, int]:
    """Return the source that a response describes, and the first byte that it holds."""
    total, start = response.headers.get("Content-Length"), 0
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        byte_range, _, total = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start = _number(byte_range.partition("-")[0]) or 0
    etag, modified = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return PartialFile(url, _number(total), etag, modified), start


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _reason(error: object) -> str:
    """Return why a connection failed."""
    return "timed out" if isinstance(error, TimeoutError) else str(getattr(error, "strerror", None) or error)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _source_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _partial_source(url: str, path: Path) -> PartialFile | None:
    """Return the source of a partial file; None if it cannot be resumed from `url`."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        source = PartialFile(**json.loads(_source_file(path).read_text(encoding="utf-8")))
        if source.url == url and source.total is not None and _size(path):
            return source
    return None
