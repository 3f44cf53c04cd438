"""Data sets are installed whole or not at all, from a local server or a file."""

import hashlib
import io
import re
import threading
import time
import tomllib

import pytest

from cyclegan.data.installing import install
from cyclegan.data.sets import DataSet, known_sets
from cyclegan.errors import CycleganError
from tests.support.file_server import Page
from tests.support.zips import zip_of, zipped_set

COUNTS = dict.fromkeys(("trainA", "trainB", "testA", "testB"), 2)


def error_of(*arguments, **options) -> str:
    """Return the error of installing a data set, with its hint."""
    with pytest.raises(CycleganError) as raised:
        install(*arguments, **options)
    return f"{raised.value} {raised.value.hint}"


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
