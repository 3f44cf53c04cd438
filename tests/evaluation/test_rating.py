"""A rating sheet is blinded and balanced; answers give a preference with its interval."""

import base64
import json
from pathlib import Path

import pytest
from PIL import Image

from cyclegan.errors import DataError, UsageError
from cyclegan.evaluation.intervals import proportion_interval
from cyclegan.evaluation.preference import read_preference
from cyclegan.evaluation.rating_sheet import RatingSheet, candidate_names, make_rating_sheet, photos_in
from cyclegan.translation import compared_models
from tests.support.models import write_model
from tests.support.rating import COLORS, draw_folder, write_answers


def make_sheet(folder: Path, **options) -> RatingSheet:
    """Return a sheet of two folders, crimson and indigo, with pictures of eight photographs."""
    folders = [draw_folder(folder / name, name) for name in ("photos", *COLORS)]
    return make_rating_sheet(photos_in(folders[:1]), folders=folders[1:], **options)


def test_each_candidate_is_on_the_left_equally_often(tmp_path: Path):
    sheet = make_sheet(tmp_path)
    assert sheet.candidates == tuple(COLORS)
    assert sorted(trial.picture for trial in sheet.trials) == [f"deep/{number}" for number in range(8)]
    assert [trial.left for trial in sheet.trials].count(0) == 4
    by_candidate = {trial.pictures[trial.left].uri for trial in sheet.trials}
    assert len(by_candidate) == 1  # the flat picture of the first candidate


def test_the_seed_decides_order_and_sides(tmp_path: Path):
    first, again, other = (make_sheet(tmp_path, seed=seed) for seed in (1, 1, 2))
    assert first.html("Which?") == again.html("Which?")
    assert first.key != other.key
    assert [trial.picture for trial in first.trials] != [trial.picture for trial in other.trials]


def test_the_page_names_no_candidate_and_no_picture(tmp_path: Path):
    sheet = make_sheet(tmp_path)
    page = sheet.html("Which is <better>?")
    assert not any(name in page for name in (*COLORS, "deep/"))
    assert "Which is &lt;better&gt;?" in page
    assert page.count("data:image/webp") == 3 * 8
    assert json.loads(base64.b64decode(sheet.key))["candidates"] == list(COLORS)


def test_at_most_so_many_photographs_are_drawn(tmp_path: Path):
    assert len(make_sheet(tmp_path, count=3).trials) == 3


def test_photographs_without_a_usable_counterpart_are_left_out(tmp_path: Path):
    folders = [draw_folder(tmp_path / name, name) for name in ("photos", *COLORS)]
    (folders[1] / "deep" / "0.png").unlink()
    (folders[1] / "deep" / "1.png").write_bytes(b"damaged")
    Image.new("RGB", (60, 24)).save(folders[2] / "deep" / "2.png")
    sheet = make_rating_sheet(photos_in(folders[:1]), folders=folders[1:])
    assert sheet.without_counterpart == 1
    assert sorted(error.path.name for error in sheet.failed) == ["1.png", "2.png"]
    assert len(sheet.trials) == 5
    (other := tmp_path / "other").mkdir()
    Image.new("RGB", (48, 32)).save(other / "x.png")
    with pytest.raises(DataError, match="none of the photographs has a counterpart"):
        make_rating_sheet(photos_in(folders[:1]), folders=[folders[1], other])


def test_a_sheet_has_exactly_two_candidates(tmp_path: Path):
    photos = photos_in([draw_folder(tmp_path / "photos", "photos")])
    with pytest.raises(UsageError, match="compares two candidates, and 1 are named"):
        make_rating_sheet(photos, folders=[tmp_path / "photos"])


def test_two_states_of_a_run_have_different_names(tmp_path: Path):
    paths = [write_model(tmp_path / "mine" / f"{name}.safetensors", steps=9) for name in ("model", "best")]
    best, newest = compared_models([paths[1]])[0][0], compared_models([paths[0]])[0][0]
    assert candidate_names([best, newest], []) == ("mine, 9 steps, best", "mine, 9 steps")
    assert candidate_names([newest, newest], []) == ("mine, 9 steps (first)", "mine, 9 steps (second)")
    assert candidate_names([newest], [tmp_path / "real"]) == ("mine, 9 steps", "real")


def test_a_model_is_compared_with_real_pictures(tmp_path: Path):
    photos, real = (draw_folder(tmp_path / name, name) for name in ("photos", "crimson"))
    models, _ = compared_models([write_model(tmp_path / "mine.safetensors")])
    sheet = make_rating_sheet(photos_in([photos]), models, [real], size=32, device="cpu")
    assert sheet.candidates == ("mine, 7 steps", "crimson")
    sizes = {(picture.width, picture.height) for trial in sheet.trials for picture in (trial.original, *trial.pictures)}
    assert sizes == {(48, 32)}
    assert len({trial.pictures[1 - trial.left].uri for trial in sheet.trials}) == 1


def test_wilsons_interval_is_the_published_one():
    interval = proportion_interval(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert proportion_interval(0, 0) is None


def test_answers_of_several_files_are_added(tmp_path: Path):
    files = [
        write_answers(
            tmp_path / "1.json", ("x", "y"), [(0, "left"), (1, "right"), (1, "left"), (0, "none"), (0, None)]
        ),
        write_answers(tmp_path / "2.json", ("y", "x"), [(1, "left"), (0, "right"), (0, "none")], rater="second"),
    ]
    preference = read_preference(files)
    assert preference.candidates == ("x", "y")
    assert preference.preferred == (4, 1)
    assert (preference.no_difference, preference.unanswered, preference.left, preference.files) == (2, 1, 3, 2)
    assert preference.share == 0.8


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (["left"] * 20 + ["none"] * 5, "People prefer x."),
        (["right"] * 20, "People prefer y."),
        (["left", "right"] * 10, "do not say which"),
        (["none"] * 9, "No answer decides"),
    ],
)
def test_the_verdict_follows_from_the_interval(tmp_path: Path, answers, verdict: str):
    path = write_answers(tmp_path / "a.json", ("x", "y"), [(0, answer) for answer in answers])
    assert verdict in read_preference([path]).verdict


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "another"},
        {"format": 2},
        {"key": "%%%"},
        {"key": base64.b64encode(b"[]").decode()},
        {"answers": ["left"]},
        {"answers": ["left", "up"]},
        {"answers": {"0": "left", "1": "left"}},
        {"answers": None},
    ],
)
def test_a_file_that_no_sheet_saved_is_an_error(tmp_path: Path, changes: dict):
    path = write_answers(tmp_path / "a.json", ("x", "y"), [(0, "left"), (1, "left")])
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(DataError, match=r"a\.json holds no answers of a rating sheet"):
        read_preference([path])


def test_an_answer_that_no_page_gives_is_named(tmp_path: Path):
    path = write_answers(tmp_path / "a.json", ("x", "y"), [(0, "up")])
    with pytest.raises(DataError, match="rating sheet: unknown answers"):
        read_preference([path])


def test_files_that_do_not_belong_together_are_an_error(tmp_path: Path):
    one = write_answers(tmp_path / "1.json", ("x", "y"), [(0, "left")])
    again = write_answers(tmp_path / "2.json", ("x", "y"), [(0, "right")])
    other = write_answers(tmp_path / "3.json", ("x", "z"), [(0, "right")])
    with pytest.raises(DataError, match="hold the answers of one person to one sheet"):
        read_preference([one, again])
    with pytest.raises(DataError, match=r"3\.json compares x with z, and .*1\.json x with y"):
        read_preference([one, other])
    with pytest.raises(DataError, match="there is no file"):
        read_preference([tmp_path / "4.json"])
