"""A run may imitate a model, of which it keeps a copy; for the rest it is a run like any other."""

from pathlib import Path

import pytest
import torch

from cyclegan.checkpoints.model_file import load_model, save_model, weights_of
from cyclegan.checkpoints.runs import Run, read_metrics
from cyclegan.config import build_config
from cyclegan.errors import ConfigError, CycleganError, ModelFileError, RunError
from cyclegan.models import build_networks
from cyclegan.training import TrainInputs, load_inputs
from cyclegan.training.build import MEMORY_HINT, build_state
from tests.models_for_tests import write_model
from tests.training.runs_for_tests import tiny_settings, train_run, what_is_left


def taught_by(model: Path) -> dict[str, dict[str, object]]:
    """Return the settings of a run that imitates a model."""
    return {"training": {"teacher": str(model)}}


def plan_of(folders: tuple[Path, Path], tmp_path: Path, *settings: dict) -> TrainInputs:
    return load_inputs(build_config(*tiny_settings(folders, 4), *settings), Run(tmp_path / "new"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a model that is broader than what is trained."""
    return write_model(tmp_path / "m.safetensors", width=6)


def test_a_continuation_is_exact_whatever_has_become_of_the_teacher(folders, model, tmp_path):
    train_run(Run(tmp_path / "whole"), folders, 6, taught_by(model))
    train_run(Run(tmp_path / "stopped"), folders, 3, taught_by(model))
    model.write_bytes(b"another")
    train_run(Run(tmp_path / "stopped"), folders, 6, taught_by(model))
    whole, stopped = (what_is_left(Run(tmp_path / name)) for name in ("whole", "stopped"))
    assert (stopped["state"], stopped["models"]) == (whole["state"], whole["models"])
    assert {"distill_a2b", "distill_b2a"} <= read_metrics(Run(tmp_path / "whole"))[-1].keys()


def test_a_run_without_its_copy_of_the_teacher_does_not_go_on(folders, model, tmp_path):
    run = Run(tmp_path / "run")
    train_run(run, folders, 3, taught_by(model))
    run.teacher.unlink()
    with pytest.raises(RunError, match=r"teacher.safetensors is gone, the copy of the model that this run imitates"):
        train_run(run, folders, 6, taught_by(model))


def test_a_run_that_was_killed_before_its_first_state_begins_again_with_the_teacher_as_it_is_now(
    folders, model, tmp_path
):
    run = Run(tmp_path / "run")
    save_model(run.teacher, *load_model(write_model(tmp_path / "old.safetensors")))
    (run.folder / ".cyclegan-half-written.partial").touch()
    train_run(run, folders, 3, taught_by(model))
    assert load_model(run.teacher)[0].generator.width == 6


def test_a_run_begins_with_the_discriminators_of_its_teacher_where_they_are_as_its_own(folders, model, tmp_path):
    weights = load_model(model)[1]
    for width, begun in ((4, True), (5, False)):
        plan = plan_of(folders, tmp_path, taught_by(model), {"discriminator": {"width": width}})
        networks = build_state(plan)[0].networks
        expected = weights_of("disc_a", weights) if begun else build_networks(plan.config).disc_a.state_dict()
        assert all(torch.equal(weight, expected[name]) for name, weight in networks.disc_a.state_dict().items())


def test_a_teacher_of_one_direction_is_imitated_in_that_one(folders, model, tmp_path):
    info, weights = load_model(model)
    save_model(model, info, {name: weight for name, weight in weights.items() if name.startswith("b2a")})
    plan = plan_of(folders, tmp_path, taught_by(model))
    assert build_state(plan)[0].training.teachers.keys() == {"b2a"}


def test_grey_is_imitated_in_colour(folders, tmp_path):
    grey = {"channels_a": 1}
    model = write_model(tmp_path / "m.safetensors", width=6, data=grey)
    train_run(Run(tmp_path / "run"), folders, 4, taught_by(model), {"data": grey})
    assert "distill_a2b" in read_metrics(Run(tmp_path / "run"))[-1]


def test_a_teacher_in_bf16_shows_what_it_shows_in_fp32_but_for_rounding(folders, model, tmp_path):
    plan = plan_of(folders, tmp_path, taught_by(model), {"training": {"precision": "bf16"}})
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rounded = build_state(plan)[0].training.teachers["a2b"]
    shown, exact = rounded(images), plan.teacher.generators()["a2b"](images)
    assert (shown.dtype, shown.requires_grad) == (torch.float32, False)
    assert 0 < (shown - exact).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("facts", "settings", "answer"),
    [
        ({}, {"data": {"channels_b": 1}}, r"have 3 and 3 channels, and those of this game 3 and 1\."),
        ({"architecture": "unet", "depth": 5}, {"data": {"size": 48}}, "whose sides divide by 32, and data.size is 48"),
    ],
)
def test_a_teacher_of_other_images_is_a_sentence(folders, tmp_path, facts, settings, answer: str):
    model = write_model(tmp_path / "m.safetensors", **facts)
    with pytest.raises(ConfigError, match=answer):
        plan_of(folders, tmp_path, taught_by(model), settings)


def test_a_teacher_that_does_not_hold_what_it_describes_is_a_sentence(folders, model, tmp_path):
    info, _ = load_model(model)
    damaged = {"a2b.body.1.weight": torch.zeros(3)}
    for held, answer in ((damaged, "does not hold the networks"), ({}, "no generator")):
        save_model(model, info, held)
        with pytest.raises(ModelFileError, match=answer):
            plan_of(folders, tmp_path, taught_by(model))
    model.unlink()
    with pytest.raises(CycleganError, match="there is no model"):
        plan_of(folders, tmp_path, taught_by(model))


def test_what_fits_leaves_room_for_the_teacher(folders, tmp_path, monkeypatch):
    rooms: list[int] = []
    monkeypatch.setattr("cyclegan.training.build.our_memory", lambda _: 10**9)
    monkeypatch.setattr("cyclegan.training.build.largest_that_fits", lambda _, room, **__: rooms.append(room) or "")
    model = write_model(tmp_path / "m.safetensors", width=6)
    for settings in ({}, taught_by(model)):
        MEMORY_HINT(plan_of(folders, tmp_path, settings))
    assert rooms[0] == 10**9
    assert rooms[0] - rooms[1] == sum(weight.nbytes for weight in load_model(model)[1].values())
