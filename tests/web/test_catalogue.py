"""Models and runs are found by name, never by path."""

import os
from pathlib import Path

import pytest

from cyclegan.checkpoints.find import shipped_models
from cyclegan.checkpoints.model_file import load_model, save_model
from cyclegan.errors import ModelFileError, RunError
from cyclegan.web.catalogue import Catalogue, target_domains
from tests.support.models import write_model


def test_the_requested_model_comes_first_then_the_newest(tmp_path: Path):
    for age, name in enumerate(("new", "older", "oldest")):
        model = write_model(tmp_path / name / "model.safetensors")
        os.utime(model, (1000 - age, 1000 - age))
    asked = write_model(tmp_path / "asked.safetensors")
    assert list(Catalogue(checkpoints=tmp_path).models()) == ["new", "older", "oldest", *shipped_models()]
    assert list(Catalogue(checkpoints=tmp_path, model=asked).models()) == [
        *("asked", "new", "older", "oldest"),
        *shipped_models(),
    ]
    assert Catalogue(checkpoints=tmp_path).find_model(None) == tmp_path / "new" / "model.safetensors"
    assert Catalogue(checkpoints=tmp_path, model=asked).find_model("") == asked


def test_a_name_is_never_a_path(tmp_path: Path):
    write_model(tmp_path / "run" / "model.safetensors")
    for name in (str(tmp_path / "run"), "run/model.safetensors", "../run", "./run", "run\0"):
        with pytest.raises(ModelFileError, match="there is no model"):
            Catalogue(checkpoints=tmp_path).find_model(name)
        with pytest.raises(RunError, match="there is no run"):
            Catalogue(checkpoints=tmp_path).find_run(name)


@pytest.mark.parametrize(("network", "targets"), [("b2a", [("horses", "b2a")]), ("disc_a", None)])
def test_only_directions_of_the_model_are_offered(tmp_path: Path, network: str, targets: list | None):
    path = write_model(tmp_path / "model.safetensors")
    info, weights = load_model(path)
    save_model(path, info, {name: tensor for name, tensor in weights.items() if name.startswith(network)})
    if targets:
        assert target_domains(path, info) == targets
    else:
        with pytest.raises(ModelFileError, match="holds no generator"):
            target_domains(path, info)
