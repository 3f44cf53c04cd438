"""One call translates files and folders."""

import pickle
from pathlib import Path

import pytest

from cyclegan import translate_folder
from cyclegan.errors import CycleganError, DataError, PictureError
from cyclegan.translation import Target, TranslatePlan, in_formats


def test_a_folder_is_translated_with_progress_and_scores(folders, model, tmp_path: Path):
    (folders[0] / "broken.png").write_text("no picture")
    plans: list[TranslatePlan] = []
    progress: list[tuple[int, int]] = []
    result = translate_folder(
        str(folders[0]),
        model,
        output=tmp_path / "out",
        scores=True,
        device="cpu",
        on_plan=plans.append,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert (len(result.done), len(result.scores), result.tables) == (5, 5, [tmp_path / "out" / "scores.csv"])
    assert progress == [(done, 6) for done in range(7)]
    assert len(plans[0].targets) == 6
    [error] = result.failed
    assert (error.path, error.message.split(".")[0]) == (
        str(folders[0] / "broken.png"),
        "is not a picture in a format that can be read",
    )


def test_a_missing_input_is_an_error_before_the_model_is_loaded(model, tmp_path: Path):
    with pytest.raises(DataError, match="there is no"):
        translate_folder([tmp_path / "missing"], model, on_plan=lambda _: pytest.fail("planned"))


def test_videos_that_would_become_one_file_keep_their_suffixes():
    names = ("a.mpg", "a.mts", "b.vob", "c.psd", "c.tif")
    targets = in_formats([Target(Path(name), Path(name), Path()) for name in names], None)
    assert [target.path.name for target in targets] == ["a.mpg.mkv", "a.mts.mkv", "b.mkv", "c.psd.tif", "c.tif"]


def test_an_error_begins_with_its_path_and_can_be_renamed():
    error = PictureError("is empty.", "Save it again.", Path("a\n.png"))
    renamed = pickle.loads(pickle.dumps(error)).with_path("s3://bucket/b.png")  # noqa: S301
    assert (str(error), str(renamed), renamed.hint) == ("a\\n.png is empty.", "s3://bucket/b.png is empty.", error.hint)
    assert str(CycleganError("no room.")) == "no room."
