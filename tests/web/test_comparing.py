"""Uploaded pictures are drawn as several models translate them."""

from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from cyclegan.checkpoints.run import Run
from cyclegan.errors import DataError, ModelFileError
from cyclegan.web.catalogue import Catalogue
from cyclegan.web.comparing import MAX_MODELS, compare_uploads
from cyclegan.web.translating import MAX_PICTURES_PER_REQUEST, Workspace
from tests.support.models import write_model


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    write_model(Run(tmp_path / "checkpoints" / "mine").model)
    return Catalogue(checkpoints=tmp_path / "checkpoints")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "workspace").mkdir()
    return Workspace(device="cpu", folder=tmp_path / "workspace", closing=Event())


def test_every_model_is_offered_in_each_direction(catalogue: Catalogue):
    damaged = Run(catalogue.checkpoints / "damaged").model
    damaged.parent.mkdir()
    damaged.write_text("not a model")
    columns = catalogue.columns()
    assert list(columns)[:2] == ["mine to zebras", "mine to horses"]
    assert [columns[name].direction for name in ("mine to zebras", "mine to horses")] == ["a2b", "b2a"]
    with pytest.raises(ModelFileError, match="there is no model another here"):
        catalogue.find_columns(["mine to zebras", "another"])


def test_the_sheet_shows_pictures_that_can_be_read(catalogue: Catalogue, workspace: Workspace, photograph, tmp_path):
    (tmp_path / "bad.png").write_text("not a picture")
    done: list[None] = []
    sheet, messages = compare_uploads(
        workspace,
        [photograph, tmp_path / "bad.png"],
        catalogue.find_columns(["mine to zebras", "mine to horses"]),
        lambda: done.append(None),
    )
    assert sheet is not None
    assert len(done) == 2
    assert [message.startswith("bad.png is not a picture") for message in messages] == [True]
    with Image.open(sheet) as drawn:
        assert drawn.width > 3 * 384
        assert b"compositeWithTrainedAlgorithmicMedia" in drawn.info["xmp"]


@pytest.mark.parametrize(
    ("pictures", "models"), [(0, 1), (MAX_PICTURES_PER_REQUEST + 1, 1), (1, 0), (1, MAX_MODELS + 1)]
)
def test_too_many_or_none_are_an_error(catalogue: Catalogue, workspace: Workspace, photograph, pictures, models):
    columns = catalogue.find_columns(["mine to zebras"])
    with pytest.raises(DataError, match="these are"):
        compare_uploads(workspace, [photograph] * pictures, columns * models, lambda: None)
