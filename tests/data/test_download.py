"""Downloads from a local server that misbehaves on purpose."""

import hashlib
import io
import re
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from urllib.request import Request

import numpy as np
import pytest

from cyclegan.data import download
from cyclegan.data.download import Redirects, fetch
from cyclegan.data.installing import install
from cyclegan.data.sets import DataSet, domain_names, find_set, known_sets
from cyclegan.errors import CycleganError, DataError, DownloadError
from tests.support.file_server import Page, serving
from tests.support.zips import zip_of, zipped_set

POSIX = sys.platform != "win32"
CONTENT = np.random.default_rng(0).bytes(200_000)
OTHER = np.random.default_rng(1).bytes(200_000)
COUNTS = dict.fromkeys(("trainA", "trainB", "testA", "testB"), 2)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


def error_of(*arguments, **options) -> str:
    """Return the error of installing a data set, with its hint."""
    with pytest.raises(CycleganError) as raised:
        install(*arguments, **options)
    return f"{raised.value} {raised.value.hint}"


# ---- one file


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


# ---- a data set


def test_a_data_set_is_installed(server, tmp_path):
    archive = zipped_set("horses2zebras/")
    server.pages["/s.zip"] = Page(archive)
    known = DataSet(name="s", urls=(server.url("/s.zip"),), sha256=hashlib.sha256(archive).hexdigest(), counts=COUNTS)
    installed = install(known, tmp_path)
    assert (installed.folder, dict(installed.pictures), installed.new) == (tmp_path / "s", COUNTS, True)
    assert [place.name for place in tmp_path.iterdir()] == ["s"]
    assert not install(known, tmp_path).new
    assert server.statuses() == [200]


def test_an_archive_without_a_root_folder_is_installed(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped_set(""))
    assert dict(install(DataSet(name="s"), tmp_path, source=str(tmp_path / "a.zip")).pictures) == COUNTS
    (tmp_path / "b.zip").write_bytes(zip_of(zip_entries(zipped_set("train/"), keep="train/train")))
    assert sorted(install(DataSet(name="t"), tmp_path, source=str(tmp_path / "b.zip")).pictures) == ["trainA", "trainB"]
    assert (tmp_path / "a.zip").exists()


def zip_entries(archive: bytes, *, keep: str) -> list[tuple[str, bytes]]:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return [(name, opened.read(name)) for name in opened.namelist() if name.startswith(keep)]


def test_a_corrupted_archive_is_deleted_and_downloaded_again(server, tmp_path):
    archive = zipped_set()
    known = DataSet(name="s", urls=(server.url("/s"),), sha256=hashlib.sha256(archive).hexdigest())
    server.pages["/s"] = Page(archive[:-100] + bytes(100))
    assert re.search(r"its SHA-256 is \w{64}, not \w{64}", error_of(known, tmp_path))
    assert not list(tmp_path.iterdir())
    server.pages["/s"] = Page(archive)
    assert install(known, tmp_path).new


def test_an_unknown_checksum_is_recorded_and_compared_later(server, tmp_path):
    unknown = DataSet(name="s", urls=(server.url("/s"),))
    server.pages["/s"] = Page(zipped_set())
    (tmp_path / "checksums.toml").write_text('other = "1"\n')
    install(unknown, tmp_path)
    recorded = tomllib.loads((tmp_path / "checksums.toml").read_text())
    assert recorded == {"other": "1", "s": hashlib.sha256(zipped_set()).hexdigest()}
    (tmp_path / "s").rename(tmp_path / "aside")
    server.pages["/s"] = Page(zipped_set(each=3), tag='"2"')
    assert "delete its line in" in error_of(unknown, tmp_path)
    assert not (tmp_path / "s").exists()
    server.pages["/s"] = Page(zipped_set())
    assert install(unknown, tmp_path).new


def test_damaged_checksums_are_an_error_before_the_download(server, tmp_path):
    (tmp_path / "checksums.toml").write_text("no TOML")
    assert "checksums.toml is not valid TOML" in error_of(DataSet(name="s", urls=(server.url("/s"),)), tmp_path)
    assert not server.asked


def test_wrong_picture_counts_are_an_error(server, tmp_path):
    server.pages["/s"] = Page(zipped_set())
    wrong = DataSet(name="s", urls=(server.url("/s"),), counts={"trainA": 1067, "trainB": 2, "val": 1})
    assert "2 pictures in trainA, not 1,067; 0 pictures in val, not 1" in error_of(wrong, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_incomplete_data_set_is_an_error(server, tmp_path):
    server.pages["/s"] = Page(zipped_set())
    known = DataSet(name="s", urls=(server.url("/s"),), counts=COUNTS)
    install(known, tmp_path)
    (tmp_path / "s" / "trainA" / "0.png").unlink()
    assert "is there already, but holds 1 pictures in trainA, not 2" in error_of(known, tmp_path)


def test_an_unsafe_archive_is_deleted(server, tmp_path):
    server.pages["/s"] = Page(zip_of([("trainA/1.png", b"x"), ("../evil", b"x")]))
    home = tmp_path / "home"
    assert "holds '../evil'" in error_of(DataSet(name="s", urls=(server.url("/s"),)), home)
    assert not list(home.iterdir())
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", [b"<html>sign in</html>", zip_of([("readme.txt", b"no pictures")])])
def test_an_archive_without_pictures_is_an_error(server, tmp_path, content):
    server.pages["/s"] = Page(content)
    assert re.search("no zip file|no pictures", error_of(DataSet(name="s", urls=(server.url("/s"),)), tmp_path))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_installation_is_resumed(server, tmp_path):
    archive = zipped_set(each=20)
    server.pages["/s"] = Page(archive, cuts=[30_000] + [0] * 3)
    known = DataSet(name="s", urls=(server.url("/s"),))
    assert "The same command resumes" in error_of(known, tmp_path)
    assert [place.name for place in tmp_path.iterdir()] == [".cyclegan-s.partial"]
    (tmp_path / ".cyclegan-s.partial" / "unpacked" / "half").mkdir(parents=True)
    assert install(known, tmp_path).pictures["trainA"] == 20
    assert server.asked[-1][1] == "bytes=30000-"
    assert {place.name for place in tmp_path.iterdir()} == {"s", "checksums.toml"}


@pytest.mark.parametrize("is_known", [True, False])
def test_a_part_that_a_power_cut_damaged_is_downloaded_again(server, tmp_path, is_known):
    archive = zipped_set(each=20)
    server.pages["/s"] = Page(archive, cuts=[30_000] + [0] * 3)
    sha256 = hashlib.sha256(archive).hexdigest() if is_known else None
    data_set = DataSet(name="s", urls=(server.url("/s"),), sha256=sha256)
    error_of(data_set, tmp_path)
    part = tmp_path / ".cyclegan-s.partial" / "s.zip"
    part.write_bytes(part.read_bytes()[:20_000] + bytes(10_000))
    assert install(data_set, tmp_path).pictures["trainA"] == 20
    assert [asked for _, asked, _ in server.asked[-2:]] == ["bytes=30000-", None]


def test_an_archive_left_by_a_kill_is_deleted_later(server, tmp_path):
    """The process was killed after the data set had its name."""
    server.pages["/s"] = Page(zipped_set())
    data_set = DataSet(name="s", urls=(server.url("/s"),))
    install(data_set, tmp_path)
    left = tmp_path / ".cyclegan-s.partial"
    left.mkdir()
    (left / "s.zip").write_bytes(zipped_set())
    assert not install(data_set, tmp_path).new
    assert not left.exists()


def test_a_failed_download_leaves_nothing(server, tmp_path):
    assert "answered 404" in error_of(DataSet(name="s", urls=(server.url("/gone"),)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_downloads_of_one_set_exclude_each_other(server, tmp_path):
    server.pages["/s"] = Page(zipped_set(), cuts=[100], stalls=True)
    known = DataSet(name="s", urls=(server.url("/s"),))
    first = threading.Thread(target=lambda: install(known, tmp_path))
    first.start()
    while first.is_alive() and not server.asked:
        time.sleep(0.01)
    assert "is being downloaded already" in error_of(known, tmp_path)
    server.released.set()
    first.join()
    assert install(known, tmp_path).pictures["trainA"] == 2


def test_a_set_without_urls_says_what_to_do_instead(tmp_path):
    said = error_of(known_sets()["cityscapes"], tmp_path)
    assert "its licence: non-commercial" in said
    assert "https://www.cityscapes-dataset.com" in said


def test_another_archive_under_an_existing_name_is_an_error(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped_set())
    install(DataSet(name="s"), tmp_path, source=str(tmp_path / "a.zip"))
    assert "Move it away" in error_of(DataSet(name="s"), tmp_path, source=str(tmp_path / "a.zip"))
    assert "there is no file" in error_of(DataSet(name="t"), tmp_path, source="ftp://x.org/a.zip")


def test_only_two_modules_use_the_network():
    package = Path(download.__file__).parent.parent
    speaks = re.compile(r"^\s*(?:from|import) (?:urllib|http|socket|ssl|requests|httpx|ftplib|aiohttp)\b", re.MULTILINE)
    assert {path for path in package.rglob("*.py") if speaks.search(path.read_text(encoding="utf-8"))} == {
        Path(download.__file__),
        package / "web" / "server.py",
    }


# ---- the table


def test_the_table_is_complete():
    for data_set in known_sets().values():
        assert data_set.licence
        assert data_set.urls or data_set.instead
        assert all(url.startswith("https://") for url in data_set.urls)
        assert data_set.sha256 is None or re.fullmatch("[0-9a-f]{64}", data_set.sha256)
        assert all(not Path(place).is_absolute() and count > 0 for place, count in data_set.counts.items())
    assert len(known_sets()) == 14


def test_an_unknown_name_suggests_similar_ones():
    with pytest.raises(DataError) as raised:
        find_set("Horses2zebra")
    assert raised.value.hint == "Did you mean horse2zebra?"
    with pytest.raises(DataError, match="cannot be a data set's name"):
        find_set("../evil", has_source=True)
    assert find_set("mine", has_source=True) == DataSet(name="mine")


@pytest.mark.parametrize(
    ("name", "domains"),
    [
        ("horse2zebra", ("horse", "zebra")),
        ("summer2winter_yosemite", ("summer", "winter")),
        ("grumpifycat", ("russian_blue", "grumpy")),
        ("day2night", ("day", "night")),
        ("photos_2024", ("A", "B")),
        ("a2a", ("A", "B")),
        ("maps", ("A", "B")),
    ],
)
def test_domain_names(name, domains):
    assert domain_names(name) == domains
