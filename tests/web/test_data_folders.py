"""Folders for training are looked into, made of dropped pictures, and never lose one."""

import re
from pathlib import Path

import pytest
from PIL import Image

from cyclegan.errors import DataError, DiskError, UsageError
from cyclegan.inspection.data_folders import data_folders, inspect_folders
from cyclegan.web import data_folders as module
from cyclegan.web.data_folders import folder_contents, report_as_html, store_pictures, typed_folder
from tests.web.conftest import EVIL


def upload(folder: Path, name: str, colour: str) -> Path:
    """Return a picture where the page puts uploads."""
    path = folder / "uploads" / colour / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), colour).save(path)
    return path


@pytest.mark.parametrize("typed", ["{}", "  {} ", '"{}"', "'{}'", "{}/deeper/.."])
def test_a_pasted_path_is_taken_as_shells_do(folders: tuple[Path, Path], typed: str):
    assert typed_folder(typed.format(folders[0])) == folders[0]


def test_a_typed_path_may_begin_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME" if Path("/bin").exists() else "USERPROFILE", str(tmp_path))
    assert typed_folder("~/horses") == tmp_path / "horses"


@pytest.mark.parametrize("typed", [None, "", "  ", "''", "a\0b"])
def test_no_path_is_an_error(typed: str | None):
    with pytest.raises(DataError, match="two folders of pictures are needed"):
        typed_folder(typed)


def test_contents_of_a_folder_are_named_and_escaped(folders: tuple[Path, Path]):
    (folders[0] / "<b>inner").mkdir()
    (folders[0] / ".hidden").mkdir()
    (folders[0] / "notes.txt").touch()
    html = folder_contents(folders[0]).as_html()
    assert f"5 pictures in {folders[0]}<br>" in html
    assert "1 file was passed over: 1 .txt." in html
    assert "Folders in it: &lt;b&gt;inner, deeper</p>" in html


def test_a_huge_folder_is_not_read_to_its_end(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_FILES", 3)
    assert "More than 4 pictures in" in folder_contents(folders[0]).as_html()


def test_dropped_pictures_are_stored_in_a_folder_of_their_kind(tmp_path: Path):
    datasets = tmp_path / "datasets"
    first = store_pictures([upload(tmp_path, "1.png", "red")], "horses", None, datasets)
    assert first.name == "horses"
    assert first.parent.parent == datasets / "dropped"
    assert re.match(r"\d{4}-\d\d-\d\d-", first.parent.name)
    more = [upload(tmp_path, "1.png", "blue"), upload(tmp_path, "1.png", "red"), upload(tmp_path, "2.png", "red")]
    assert store_pictures(more, "horses", first, datasets) == first
    assert sorted(path.name for path in first.iterdir()) == ["1-2.png", "1.png", "2.png"]
    assert not any(path.exists() for path in more)
    with Image.open(first / "1-2.png") as picture:
        assert picture.getpixel((0, 0)) == (0, 0, 255)


def test_dropped_pictures_are_added_to_no_other_folder(folders: tuple[Path, Path], tmp_path: Path):
    before = sorted(folders[0].rglob("*"))
    datasets = tmp_path / "datasets"
    mine = store_pictures([upload(tmp_path, "1.png", "red")], "horses", folders[0], datasets)
    assert sorted(folders[0].rglob("*")) == before
    others = store_pictures([upload(tmp_path, "1.png", "red")], "zebras", mine, datasets)
    assert others.parent != mine.parent
    again = store_pictures([upload(tmp_path, "1.png", "red")], "horses", None, datasets)
    assert again.parent != mine.parent


@pytest.mark.parametrize("kind", ["", "a/b", "..", ".hidden", "a\0b"])
def test_a_kind_is_a_name_and_no_path(tmp_path: Path, kind: str):
    with pytest.raises(UsageError, match="cannot be the name of a kind"):
        store_pictures([upload(tmp_path, "1.png", "red")], kind, None, tmp_path / "datasets")
    assert not (tmp_path / "datasets").exists()


def test_a_data_folder_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "datasets").touch()
    with pytest.raises(DiskError, match="cannot be written"):
        store_pictures([upload(tmp_path, "1.png", "red")], "horses", None, tmp_path / "datasets")


def test_the_words_of_inspection_are_escaped(folders: tuple[Path, Path]):
    for folder in folders:
        Image.new("RGB", (300, 300), "red").save(folder / f"{EVIL.replace('/', '')}.png")
    html = report_as_html(inspect_folders(data_folders(folders), 32))
    assert "<strong>horses</strong>: 6 pictures" in html
    assert "horses: 1 picture is of a single colour" in html
    assert "<details><summary>which</summary>horses/&lt;img" in html
    assert "<img" not in html
