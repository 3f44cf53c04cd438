"""Distillation: a run keeps a copy of its teacher, and continues exactly."""

from pathlib import Path

import pytest
import torch

from cyclegan.checkpoints.model_file import load_model, save_model, weights_of
from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config
from cyclegan.errors import ConfigError, CycleganError, ModelFileError, RunError
from cyclegan.models import build_networks
from cyclegan.training import TrainInputs, load_inputs
from cyclegan.training.build import build_state
from tests.support.models import write_model
from tests.support.runs import contents, tiny_settings, train_run


def with_teacher(model: Path) -> dict[str, dict[str, object]]:
    """Return the settings of a run that distills a model."""
    return {"training": {"teacher": str(model)}}


def inputs_of(folders: tuple[Path, Path], tmp_path: Path, *settings: dict) -> TrainInputs:
    return load_inputs(build_config(*tiny_settings(folders, 4), *settings), Run(tmp_path / "new"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a model that is broader than what is trained."""
    return write_model(tmp_path / "m.safetensors", width=6)


def test_a_continuation_does_not_need_the_original_teacher(folders, model, tmp_path):
    train_run(Run(tmp_path / "whole"), folders, 6, with_teacher(model))
    train_run(Run(tmp_path / "stopped"), folders, 3, with_teacher(model))
    model.write_bytes(b"another")
    train_run(Run(tmp_path / "stopped"), folders, 6, with_teacher(model))
    whole, stopped = (contents(Run(tmp_path / name)) for name in ("whole", "stopped"))
    assert (stopped["state"], stopped["models"]) == (whole["state"], whole["models"])
    assert {"distill_a2b", "distill_b2a"} <= read_metrics(Run(tmp_path / "whole"))[-1].keys()


def test_a_run_without_its_teacher_copy_is_an_error(folders, model, tmp_path):
    run = Run(tmp_path / "run")
    train_run(run, folders, 3, with_teacher(model))
    run.teacher.unlink()
    with pytest.raises(RunError, match=r"teacher.safetensors is gone, the copy of the teacher of this run"):
        train_run(run, folders, 6, with_teacher(model))


def test_a_run_without_a_state_copies_the_teacher_again(folders, model, tmp_path):
    run = Run(tmp_path / "run")
    save_model(run.teacher, *load_model(write_model(tmp_path / "old.safetensors")))
    (run.folder / ".cyclegan-half-written.partial").touch()
    train_run(run, folders, 3, with_teacher(model))
    assert load_model(run.teacher)[0].generator.width == 6


def test_equal_discriminators_start_from_those_of_the_teacher(folders, model, tmp_path):
    weights = load_model(model)[1]
    for width, loaded in ((4, True), (5, False)):
        inputs = inputs_of(folders, tmp_path, with_teacher(model), {"discriminator": {"width": width}})
        networks = build_state(inputs)[0].networks
        expected = weights_of("disc_a", weights) if loaded else build_networks(inputs.config).disc_a.state_dict()
        assert all(torch.equal(weight, expected[name]) for name, weight in networks.disc_a.state_dict().items())


def test_a_teacher_of_one_direction_teaches_that_one(folders, model, tmp_path):
    info, weights = load_model(model)
    save_model(model, info, {name: weight for name, weight in weights.items() if name.startswith("b2a")})
    inputs = inputs_of(folders, tmp_path, with_teacher(model))
    assert build_state(inputs)[0].engine.teachers.keys() == {"b2a"}


def test_a_grey_domain_is_distilled(folders, tmp_path):
    grey = {"channels_a": 1}
    model = write_model(tmp_path / "m.safetensors", width=6, data=grey)
    train_run(Run(tmp_path / "run"), folders, 4, with_teacher(model), {"data": grey})
    assert "distill_a2b" in read_metrics(Run(tmp_path / "run"))[-1]


def test_a_bf16_teacher_equals_fp32_up_to_rounding(folders, model, tmp_path):
    inputs = inputs_of(folders, tmp_path, with_teacher(model), {"training": {"precision": "bf16"}})
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rounded = build_state(inputs)[0].engine.teachers["a2b"]
    output, exact = rounded(images), inputs.teacher.generators()["a2b"](images)
    assert (output.dtype, output.requires_grad) == (torch.float32, False)
    assert 0 < (output - exact).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("facts", "settings", "answer"),
    [
        ({}, {"data": {"channels_b": 1}}, r"have 3 and 3 channels, and those of this training 3 and 1\."),
        ({"architecture": "unet", "depth": 5}, {"data": {"size": 48}}, "whose sides divide by 32, and data.size is 48"),
    ],
)
def test_a_teacher_of_other_images_is_an_error(folders, tmp_path, facts, settings, answer: str):
    model = write_model(tmp_path / "m.safetensors", **facts)
    with pytest.raises(ConfigError, match=answer):
        inputs_of(folders, tmp_path, with_teacher(model), settings)


def test_a_damaged_or_missing_teacher_is_an_error(folders, model, tmp_path):
    info, _ = load_model(model)
    damaged = {"a2b.body.1.weight": torch.zeros(3)}
    for held, answer in ((damaged, "does not hold the networks"), ({}, "no generator")):
        save_model(model, info, held)
        with pytest.raises(ModelFileError, match=answer):
            inputs_of(folders, tmp_path, with_teacher(model))
    model.unlink()
    with pytest.raises(CycleganError, match="there is no model"):
        inputs_of(folders, tmp_path, with_teacher(model))
