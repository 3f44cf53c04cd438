"""Two domains that share pictures are found out before the training."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from cyclegan.config import build_config
from cyclegan.data.domains import load_domain
from cyclegan.data.overlap import check_folders_apart, overlap_warnings
from cyclegan.errors import DataError


def config_of(a: Path, b: Path, **data):
    return build_config({"data": {"folder_a": str(a), "folder_b": str(b), "size": 32, **data}})


def loaded(config, scratch: Path):
    return [load_domain(config, side, scratch=scratch) for side in "ab"]


def test_a_folder_inside_the_other_is_an_error(folders):
    inner = folders[0] / "deeper"
    for a, b in ((folders[0], inner), (inner, folders[0])):
        with pytest.raises(DataError, match=r"deeper is inside .*horses"):
            check_folders_apart(config_of(a, b).data)


def test_links_hide_no_nested_or_equal_folder(folders, tmp_path, monkeypatch):
    link = tmp_path / "link"
    link.symlink_to(folders[0] / "deeper", target_is_directory=True)
    with pytest.raises(DataError, match="is inside"):
        check_folders_apart(config_of(folders[0], link).data)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="both folders are the same"):
        check_folders_apart(config_of(folders[0], Path("zebras/../horses")).data)
    (tmp_path / "held out").symlink_to(folders[0], target_is_directory=True)
    validation = {"validate_a": "held out", "validate_b": "/elsewhere"}
    with pytest.raises(DataError, match="share pictures"):
        check_folders_apart(config_of(*folders, **validation).data)


def test_neighbours_and_hidden_folders_are_no_overlap(folders):
    for b in (folders[0].with_name("horses2"), folders[0] / ".hidden"):
        check_folders_apart(config_of(folders[0], b).data)


@pytest.mark.parametrize("put", [shutil.copy, os.symlink, lambda old, new: Image.open(old).save(new)])
def test_a_picture_of_both_domains_is_named(folders, tmp_path, put):
    put(folders[0] / "1.png", folders[1] / "another name.png")
    (note,) = overlap_warnings(*loaded(config_of(*folders), tmp_path))
    assert note.startswith("1 of 5 pictures of A are in both domains")
    assert "another name.png" in note


def test_different_pictures_give_no_note(folders, tmp_path):
    domains = loaded(config_of(*folders), tmp_path)
    assert overlap_warnings(*domains) == []
    assert not any("are small" in note for domain in domains for note in domain.notes)


def test_most_pictures_unreadable_is_an_error(folders, tmp_path):
    for number in range(5):
        (folders[1] / f"bad{number}.jpg").write_text("text")
    assert len(loaded(config_of(*folders), tmp_path)[1].skipped) == 5
    (folders[1] / "bad5.jpg").write_text("text")
    with pytest.raises(DataError, match=r"6 of 11 pictures of B cannot be read; the first: .*bad0.jpg"):
        loaded(config_of(*folders), tmp_path)


def test_pictures_much_smaller_than_the_training_images_are_said(folders, tmp_path):
    notes = load_domain(config_of(*folders, load_size=100), "a", scratch=tmp_path).notes
    assert "short side of 40 pixels (the median) is enlarged to 100" in notes[-1]
    assert "--size 36" in notes[-1]
