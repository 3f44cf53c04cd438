"""Downloads from a local server that misbehaves on purpose."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request

import numpy as np
import pytest

from cyclegan.data import download
from cyclegan.data.download import Redirects, fetch
from cyclegan.errors import DownloadError
from tests.support.file_server import Page

POSIX = sys.platform != "win32"
CONTENT = np.random.default_rng(0).bytes(200_000)
OTHER = np.random.default_rng(1).bytes(200_000)


def test_a_download_reports_progress(server, tmp_path):
    server.pages["/f"] = Page(CONTENT)
    calls = []
    fetch([server.url("/f")], tmp_path / "f", on_progress=lambda here, total: calls.append((here, total)))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert calls[-1] == (len(CONTENT), len(CONTENT))


def test_a_lost_connection_is_resumed(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, cuts=[50_000, 60_000])
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert [asked for _, asked, _ in server.asked] == [None, "bytes=50000-", "bytes=110000-"]


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', ""])
def test_an_interrupted_download_is_resumed(server, tmp_path, tag):
    def interrupt(here: int, _total: int | None) -> None:
        if here >= 50_000:
            raise KeyboardInterrupt

    server.pages["/f"] = Page(CONTENT, tag=tag, cuts=[50_000])
    with pytest.raises(KeyboardInterrupt):
        fetch([server.url("/f")], tmp_path / "f", on_progress=interrupt)
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked[-1] == ("/f", "bytes=50000-", 206)


def test_a_complete_file_is_not_requested_again(server, tmp_path):
    server.pages["/f"] = Page(CONTENT)
    for _ in range(2):
        fetch([server.url("/f")], tmp_path / "f")
    assert server.statuses() == [200]


@pytest.mark.skipif(not POSIX, reason="no such kill there")
def test_a_killed_download_is_resumed(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, cuts=[120_000], stalls=True)
    code = f"from cyclegan.data.download import *; fetch([{server.url('/f')!r}], Path('f'))"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (
            not (tmp_path / "f").exists() or (tmp_path / "f").stat().st_size < 120_000
        ):
            time.sleep(0.01)
        process.kill()
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.asked[-1] == ("/f", "bytes=120000-", 206)


@pytest.mark.parametrize("heeds_if_range", [True, False])
@pytest.mark.parametrize("size", [200_000, 30_000])
def test_a_changed_file_is_downloaded_from_the_start(server, tmp_path, heeds_if_range, size):
    server.pages["/f"] = Page(CONTENT, cuts=[50_000] + [0] * 3)
    with pytest.raises(DownloadError, match="sent only a part of the file"):
        fetch([server.url("/f")], tmp_path / "f")
    server.pages["/f"] = Page(OTHER[:size], tag='"2"', heeds_if_range=heeds_if_range)
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == OTHER[:size]


def test_without_versions_the_length_decides(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, tag="", cuts=[50_000] + [0] * 3)
    with pytest.raises(DownloadError):
        fetch([server.url("/f")], tmp_path / "f")
    server.pages["/f"] = Page(OTHER[:150_000], tag="")
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == OTHER[:150_000]


def test_too_large_a_claimed_length_is_an_error(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, claims=1000)
    with pytest.raises(DownloadError, match=r"127.0.0.1 sent only a part of the file") as raised:
        fetch([server.url("/f")], tmp_path / "f")
    assert "The same command resumes" in raised.value.hint
    assert (tmp_path / "f").stat().st_size == len(CONTENT)


def test_without_a_length_the_end_of_the_response_counts(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, says_length=False)
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_silent_server_times_out(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.2)
    server.pages["/f"] = Page(CONTENT, cuts=[1000] * 9, stalls=True)
    with pytest.raises(DownloadError, match="sent only a part of the file"):
        fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").stat().st_size == 1000 * download.MAX_TRIES


def test_after_a_404_the_mirror_is_tried(server, tmp_path):
    server.pages["/mirror"] = Page(CONTENT)
    fetch([server.url("/gone"), server.url("/mirror")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert server.statuses() == [404, 200]


def test_a_failing_mirror_keeps_the_partial_file(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, cuts=[50_000] + [0] * 3)
    with pytest.raises(DownloadError, match=r"sent only a part of the file; 127.0.0.1 answered 404"):
        fetch([server.url("/f"), server.url("/gone")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT[:50_000]


def test_another_mirror_starts_from_zero(server, tmp_path):
    server.pages["/f"] = Page(CONTENT, cuts=[50_000] + [0] * 3)
    server.pages["/mirror"] = Page(OTHER)
    fetch([server.url("/f"), server.url("/mirror")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == OTHER


def test_redirects_are_followed_but_never_out_of_tls(server, tmp_path):
    server.pages |= {
        "/a": Page(b"", leads_to="/b"),
        "/b": Page(CONTENT),
        "/c": Page(b"", leads_to="ftp://127.0.0.1/x"),
        "/d": Page(b"", leads_to="file:///etc/passwd"),
    }
    fetch([server.url("/a")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="which is not safe"):
        fetch([server.url("/c")], tmp_path / "g")
    with pytest.raises(DownloadError, match="answered 302 Found"):
        fetch([server.url("/d")], tmp_path / "g")
    with pytest.raises(DownloadError, match="which is not safe"):
        Redirects().redirect_request(Request("https://x.org/"), io.BytesIO(), 302, "", {}, "http://x.org/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/f", "https://", "https://a b/", "http://127.0.0.1:x/"])
def test_unreachable_urls_are_errors(tmp_path, url):
    with pytest.raises(DownloadError, match="the download failed"):
        fetch([url], tmp_path / "f")


@pytest.mark.skipif(not POSIX, reason="no limits on files there")
def test_a_full_disk_keeps_the_partial_file(server, tmp_path):
    server.pages["/f"] = Page(CONTENT)
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (90000, 90000))\n"
        "from cyclegan.data.download import *\nfrom cyclegan.errors import DiskError\n"
        f"try: fetch([{server.url('/f')!r}], Path('f'))\n"
        "except DiskError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "f cannot be written: no room left on the disk.\n"
    fetch([server.url("/f")], tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_messages_show_only_the_host_of_a_url(tmp_path):
    with pytest.raises(DownloadError) as raised:
        fetch(["http://127.0.0.1:9/private?token=secret"], tmp_path / "f")
    assert "secret" not in str(raised.value)


def test_only_two_modules_use_the_network():
    package = Path(download.__file__).parent.parent
    speaks = re.compile(r"^\s*(?:from|import) (?:urllib|http|socket|ssl|requests|httpx|ftplib|aiohttp)\b", re.MULTILINE)
    assert {path for path in package.rglob("*.py") if speaks.search(path.read_text(encoding="utf-8"))} == {
        Path(download.__file__),
        package / "web" / "server.py",
    }
