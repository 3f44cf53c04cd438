"""What the page offers, and under which names."""

import os
from pathlib import Path
from threading import Event

import pytest

from cyclegan.checkpoints.model_file import load_model, save_model
from cyclegan.errors import ModelFileError, RunError
from cyclegan.web.catalogue import Site, ways
from tests.support.models import write_model


def site(folder: Path, model: Path | None = None) -> Site:
    return Site(checkpoints=folder, model=model, device="cpu", place=folder, closing=Event())


def test_the_model_asked_for_is_offered_first_and_then_the_newest(tmp_path: Path):
    for age, name in enumerate(("new", "older", "oldest")):
        model = write_model(tmp_path / name / "model.safetensors")
        os.utime(model, (1000 - age, 1000 - age))
    asked = write_model(tmp_path / "asked.safetensors")
    assert list(site(tmp_path).models()) == ["new", "older", "oldest", "horse2zebra"]
    assert list(site(tmp_path, asked).models()) == ["asked", "new", "older", "oldest", "horse2zebra"]
    assert site(tmp_path).find_model(None) == tmp_path / "new" / "model.safetensors"
    assert site(tmp_path, asked).find_model("") == asked


def test_a_name_is_never_a_path(tmp_path: Path):
    write_model(tmp_path / "run" / "model.safetensors")
    for name in (str(tmp_path / "run"), "run/model.safetensors", "../run", "./run", "run\0"):
        with pytest.raises(ModelFileError, match="there is no model"):
            site(tmp_path).find_model(name)
        with pytest.raises(RunError, match="there is no run"):
            site(tmp_path).find_run(name)


@pytest.mark.parametrize(("kept", "offered"), [("b2a", [("horses", "b2a")]), ("disc_a", None)])
def test_only_the_directions_that_a_model_has_are_offered(tmp_path: Path, kept: str, offered: list | None):
    path = write_model(tmp_path / "model.safetensors")
    info, weights = load_model(path)
    save_model(path, info, {name: tensor for name, tensor in weights.items() if name.startswith(kept)})
    if offered:
        assert ways(path, info) == offered
    else:
        with pytest.raises(ModelFileError, match="holds no generator"):
            ways(path, info)
