"""A file is whole or not there."""

import errno
import os
from pathlib import Path

import pytest

from cyclegan.atomic import atomic_write, remove_partials, sync_tree, write_text
from cyclegan.errors import DiskError


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    write_text(tmp_path / "x", "old")

    def write() -> None:
        with atomic_write(tmp_path / "x") as aside:
            aside.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert (tmp_path / "x").read_text() == "old"
    assert names(tmp_path) == ["x"]


def test_a_full_disk_is_a_sentence(tmp_path: Path):
    with pytest.raises(DiskError, match="no room left"), atomic_write(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_new_file_has_the_usual_permissions(tmp_path: Path):
    write_text(tmp_path / "x", "")
    (tmp_path / "y").touch()
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_what_killed_writes_left_is_removed(tmp_path: Path):
    (tmp_path / ".cyclegan-abc.partial").touch()
    (tmp_path / "state").touch()
    remove_partials(tmp_path, idle=60)
    assert len(names(tmp_path)) == 2  # it may still be written
    remove_partials(tmp_path)
    assert names(tmp_path) == ["state"]


def test_a_very_long_name_can_be_written(tmp_path: Path):
    write_text(tmp_path / ("漢" * 80), "whole")
    assert (tmp_path / ("漢" * 80)).read_text() == "whole"


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Return the numbers of the files and folders that are flushed to the disk from now on."""
    numbers: set[int] = set()
    monkeypatch.setattr("os.fsync", lambda descriptor: numbers.add(os.fstat(descriptor).st_ino))
    return numbers


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be flushed there")
def test_a_file_its_new_folders_and_their_parent_are_flushed(tmp_path: Path, flushed: set[int]):
    write_text(tmp_path / "new" / "deeper" / "x", "whole")
    assert flushed == inodes(tmp_path, "", "new", "new/deeper", "new/deeper/x")


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be flushed there")
def test_everything_in_a_tree_is_flushed(tmp_path: Path, flushed: set[int]):
    (tmp_path / "deeper").mkdir()
    for path in ("x", "deeper/y"):
        (tmp_path / path).touch()
    sync_tree(tmp_path)
    assert flushed == inodes(tmp_path, "", "x", "deeper", "deeper/y")


def inodes(folder: Path, *paths: str) -> set[int]:
    return {(folder / path).stat().st_ino for path in paths}
