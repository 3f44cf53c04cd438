"""Any two folders, and a fair, repeatable order."""

from collections import Counter
from pathlib import Path

import pytest

from cyclegan.data.folders import (
    DomainFolders,
    describe_passed_over,
    find_domains,
    list_pictures,
    passed_over,
    picture_index,
)
from cyclegan.errors import DataError


def test_pictures_are_found_at_any_depth_whatever_the_case_of_their_suffix(folders):
    names = [path.relative_to(folders[0]).as_posix() for path in list_pictures(folders[0])]
    assert names == ["1.png", "2.jpg", "3.webp", "deeper/4.PNG", "deeper/5.jpeg"]


def test_other_files_hidden_files_and_folders_with_a_picture_s_name_are_left_alone(folders):
    (folders[0] / "notes.txt").touch()
    (folders[0] / ".hidden.png").touch()
    (folders[0] / "folder.png").mkdir()
    assert len(list_pictures(folders[0])) == 5


def test_a_loop_of_links_ends(folders):
    (folders[0] / "loop").symlink_to(folders[0], target_is_directory=True)
    assert len(list_pictures(folders[0])) == 5


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (Path, "there is no folder"),
        (lambda place: place.touch(), "is a file, not a folder"),
        (lambda place: place.mkdir(), "there are no pictures in"),
    ],
)
def test_a_folder_that_is_none_is_a_sentence(tmp_path: Path, make, answer: str):
    make(tmp_path / "x")
    with pytest.raises(DataError, match=answer):
        list_pictures(tmp_path / "x")


def test_every_picture_comes_once_before_any_comes_again():
    turns = [[picture_index(0, 0, turn * 7 + place, 7) for place in range(7)] for turn in range(4)]
    assert all(sorted(turn) == [*range(7)] for turn in turns)
    assert len({tuple(turn) for turn in turns}) == 4


def test_the_two_domains_are_drawn_independently():
    pairs = Counter((picture_index(0, 0, draw, 4), picture_index(0, 1, draw, 4)) for draw in range(4000))
    assert len(pairs) == 16
    assert max(pairs.values()) < 1.3 * min(pairs.values())


@pytest.mark.parametrize("between", ["", "/"])
def test_the_two_layouts_of_a_data_set_are_understood(tmp_path, between):
    assert find_domains(tmp_path) is None
    train, test = ([tmp_path / f"{part}{between}{side}" for side in "AB"] for part in ("train", "test"))
    for place in train:
        place.mkdir(parents=True)
    assert find_domains(tmp_path) == DomainFolders((train[0], train[1]), None)
    for place in test:
        place.mkdir(parents=True)
    assert find_domains(tmp_path) == DomainFolders((train[0], train[1]), (test[0], test[1]))


def test_what_is_passed_over_is_counted_by_kind(folders):
    for name in ("a.nef", "b.NEF", "deeper/c.nef", "d.exr", "README"):
        (folders[0] / name).touch()
    kinds = passed_over(folders[0])
    assert kinds == {".nef": 3, ".exr": 1, "": 1}
    assert describe_passed_over(kinds) == "5 files were passed over: 3 .nef, 1 without a suffix, 1 .exr."
    assert describe_passed_over({".tga": 1}) == "1 file was passed over: 1 .tga."
    assert describe_passed_over({}) == ""


def test_a_kind_s_name_cannot_write_to_the_terminal_and_many_kinds_are_summed():
    words = describe_passed_over({f".{number}\x1b[31m": 1 for number in range(12)})
    assert words.isprintable()
    assert words.endswith("4 of other kinds.")


@pytest.mark.parametrize("name", ["@eaDir", ".thumbnails", "__MACOSX", "#recycle", "$RECYCLE.BIN"])
def test_folders_that_systems_keep_are_neither_entered_nor_counted(folders, name: str):
    (folders[0] / "deeper" / name).mkdir()
    for file in ("1.jpg", "2.nef"):
        (folders[0] / "deeper" / name / file).touch()
    (folders[0] / "Thumbs.db").touch()
    assert len(list_pictures(folders[0])) == 5
    assert not passed_over(folders[0])


def test_a_folder_of_other_kinds_says_which(tmp_path):
    (tmp_path / "a.nef").touch()
    with pytest.raises(DataError, match=r"no pictures in .* 1 file was passed over: 1 \.nef\."):
        list_pictures(tmp_path)
