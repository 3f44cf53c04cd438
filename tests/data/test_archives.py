"""Archives are unpacked safely, whatever they hold."""

import errno
import io
import stat
import tracemalloc
import warnings
import zipfile

import pytest

from cyclegan.data import archives
from cyclegan.data.archives import unpack
from cyclegan.errors import DataError, DiskError
from tests.support.zips import zip_of, zipped_set


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name  # as it is, whatever the library thinks of it
    info.external_attr = mode << 16
    return info


def error_of(tmp_path, content: bytes) -> str:
    """Return the error of unpacking an archive; assert that nothing was written."""
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError) as raised:
        unpack(tmp_path / "a.zip", tmp_path / "out" / "set")
    assert [place.name for place in tmp_path.rglob("*") if place.is_file()] == ["a.zip"]
    assert raised.value.hint
    return str(raised.value)


def test_files_are_unpacked_without_hidden_ones(tmp_path):
    calls = []
    (tmp_path / "a.zip").write_bytes(
        zip_of([("s/a/1.png", b"one"), ("s/empty/", b""), ("__MACOSX/s/._1.png", b"x"), ("s/.DS_Store", b"x")])
    )
    unpack(tmp_path / "a.zip", tmp_path / "out", on_file=lambda done, total: calls.append((done, total)))
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")] == [
        "s",
        "s/a",
        "s/a/1.png",
    ]
    assert (tmp_path / "out" / "s" / "a" / "1.png").read_bytes() == b"one"
    assert calls == [(1, 1)]


def test_names_become_valid_on_every_system(tmp_path):
    """The photographs of summer2winter_yosemite are named after the second they were taken at."""
    (tmp_path / "a.zip").write_bytes(zip_of([("testA/2010-10-05 13:45:11.jpg", b"x")]))
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [place.name for place in (tmp_path / "out" / "testA").iterdir()] == ["2010-10-05 13_45_11.jpg"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "a path out of the folder"),
        ("a/../../evil", "a path out of the folder"),
        ("/etc/evil", "not a relative path"),
        ("C:evil", "not a relative path"),
        ("C:/evil", "not a relative path"),
        ("a\\..\\evil", "not a relative path"),
        ("//server/share", "not a relative path"),
        ("a//b", "invalid on some system"),
        ("./a", "a path out of the folder"),
        ("a/b. ", "invalid on some system"),
        ("a/\x1b[31m.png", "a name with control characters"),
        ("a/\n.png", "a name with control characters"),
    ],
)
def test_an_unsafe_name_is_an_error(tmp_path, name, reason):
    message = error_of(tmp_path, zip_of([("fine.png", b"x"), (entry(name), b"evil")]))
    assert reason in message
    assert message.isprintable()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_errors(tmp_path, kind):
    assert "a link or a device" in error_of(tmp_path, zip_of([(entry("a", kind | 0o777), b"/etc/passwd")]))


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "A.png"),
        ("a.png", "a.png"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("Train/a", "train/b"),
        ("é", "e\u0301"),
        ("aa:b", "aa_b"),
    ],
)
def test_names_that_collide_on_some_system_are_errors(tmp_path, names):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's, that a name comes twice
        content = zip_of((name, b"x") for name in names)
    assert "collides with" in error_of(tmp_path, content)


def test_a_name_of_many_folders_takes_no_memory(tmp_path):
    content = zip_of([("a/" * 30_000 + "x", b"x")])
    tracemalloc.start()
    assert "a path that is too long" in error_of(tmp_path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_bombs_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED_BYTES", 1000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(10**7))
    assert "far more than pictures would" in error_of(tmp_path, file.getvalue())
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    assert "3 files" in error_of(tmp_path, zip_of((f"{n}.png", b"x") for n in range(3)))


def test_encryption_and_unusual_compression_are_errors(tmp_path):
    locked = bytearray(zip_of([("a.png", b"x")]))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    assert "is encrypted" in error_of(tmp_path, bytes(locked))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", b"x")
    assert "has an unusual compression" in error_of(tmp_path, file.getvalue())


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_a_damaged_archive_is_an_error(tmp_path, damage):
    whole = bytearray(zipped_set())
    whole[100] ^= 255
    content = {"cut": zipped_set()[:-200], "flipped": bytes(whole), "text": b"<html>", "empty": b""}[damage]
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="is no zip file, or is damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_free_space_is_checked_before_writing(tmp_path, monkeypatch):
    (tmp_path / "a.zip").write_bytes(zipped_set())
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(DiskError, match="bytes are needed, 10 are free"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_an_error_of_the_disk_is_no_damage_of_an_archive(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "a.zip").write_bytes(zipped_set())
    monkeypatch.setattr(zipfile.ZipFile, "open", refuse)
    with pytest.raises(DiskError, match="the archive cannot be read: Input/output error"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
