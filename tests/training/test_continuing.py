"""A run continues where its pictures are now, and says what the continuation changes."""

import shutil
from pathlib import Path

import pytest

from cyclegan.checkpoints.run import Run, locked
from cyclegan.config import build_config
from cyclegan.errors import RunError
from cyclegan.training import check_continuation, load_inputs, train_locked
from cyclegan.training.continuing import continuation_notes
from tests.support.models import write_model
from tests.support.runs import tiny_settings, train_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "checkpoints" / "run")


def continued(run: Run, folders: tuple[Path, Path], *more: dict, steps: int = 4) -> list[str]:
    """Continue a run, and return the notes before it."""
    config = build_config(*tiny_settings(folders, steps), *more)
    check_continuation(config, run)
    with locked(run):
        inputs = load_inputs(config, run)
        notes = continuation_notes(inputs)
        assert train_locked(inputs).step == steps
    return notes


def moved(folders: tuple[Path, Path], place: Path) -> tuple[Path, Path]:
    place.mkdir()
    return tuple(Path(shutil.move(folder, place / folder.name)) for folder in folders)


def test_folders_may_move_if_their_pictures_are_the_same(run: Run, folders, tmp_path):
    train_run(run, folders, 2)
    moved_folders = moved(folders, tmp_path / "elsewhere")
    notes = continued(run, moved_folders)
    assert [note.split(":")[0] for note in notes] == ["The folders moved"] * 2
    assert run.load_config().data.folder_a == str(moved_folders[0])
    assert continued(run, moved_folders, steps=6) == []


def test_a_renamed_folder_leaves_the_domain_its_name(run: Run, folders, tmp_path):
    train_run(run, folders, 2)
    ponies = folders[0].rename(tmp_path / "ponies")
    continued(run, (ponies, folders[1]), {"data": {"name_a": "ponies"}})
    assert run.load_config().data.name_a == "horses"
    with pytest.raises(RunError, match=r"data\.name_a"):
        continued(run, (ponies, folders[1]), {"data": {"name_a": "donkeys"}}, steps=6)


def test_other_pictures_in_another_folder_are_an_error(run: Run, folders, tmp_path):
    train_run(run, folders, 2)
    before = run.config.read_text()
    moved_folders = moved(folders, tmp_path / "elsewhere")
    (moved_folders[1] / "1.png").rename(moved_folders[1] / "another.png")
    with pytest.raises(RunError, match=r"was trained on the pictures of .*zebras.* are others") as caught:
        continued(run, moved_folders)
    assert "--fresh" in caught.value.hint
    assert run.config.read_text() == before


def test_links_and_relative_paths_are_the_same_folders(run: Run, folders, tmp_path, monkeypatch):
    train_run(run, folders, 2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(folders[1], target_is_directory=True)
    assert continued(run, (Path("horses"), Path("link"))) == []


def test_validation_folders_may_move_too(run: Run, folders, tmp_path):
    held_out = [Path(shutil.copytree(folder, tmp_path / f"held out {folder.name}")) for folder in folders]

    def validated() -> dict:
        return {"data": {"validate_a": str(held_out[0]), "validate_b": str(held_out[1])}}

    train_run(run, folders, 2, validated())
    held_out[0] = held_out[0].rename(tmp_path / "tests of A")
    (note,) = continued(run, folders, validated())
    assert "tests of A" in note
    (held_out[1] / "1.png").unlink()
    held_out[1] = held_out[1].rename(tmp_path / "tests of B")
    with pytest.raises(RunError, match="tests of B are others"):
        continued(run, folders, validated(), steps=6)


@pytest.mark.parametrize("key", ["init_from", "teacher"])
def test_models_of_a_run_may_move(run: Run, folders, tmp_path, key):
    settings = {"generator": {"dropout": False}}
    train_run(run, folders, 2, settings, {"training": {key: str(write_model(tmp_path / "m.safetensors"))}})
    (tmp_path / "m.safetensors").unlink()
    assert continued(run, folders, settings, {"training": {key: str(tmp_path / "moved" / "m.safetensors")}}) == []
    with pytest.raises(RunError, match=f"training.{key}"):
        continued(run, folders, settings, {"training": {key: str(tmp_path / "another.safetensors")}}, steps=6)


LONG = {"schedule": {"epochs": 2, "decay_epochs": 2, "max_steps": "none"}}
LONGER = {"schedule": {"epochs": 4, "decay_epochs": 4, "max_steps": "none"}}


def test_a_rising_learning_rate_is_reported_with_a_hint(run: Run, folders):
    total = train_run(run, folders, 1000, LONG).total_steps
    (note,) = continued(run, folders, LONGER, steps=2 * total)
    assert "from 6.67e-05 to 0.00016" in note
    assert note.endswith("--set schedule.max_learning_rate=6.67e-05")
    assert continued(run, folders, LONGER, steps=2 * total) == []


def test_a_longer_run_can_stay_at_the_last_learning_rate(run: Run, folders):
    from cyclegan.checkpoints.records import read_metrics

    total = train_run(run, folders, 1000, LONG).total_steps
    capped = {"schedule": {"max_learning_rate": 6.67e-05}, "logging": {"every": 1}}
    assert continued(run, folders, LONGER, capped, steps=2 * total) == []
    rates = [line["learning_rate"] for line in read_metrics(run) if line["step"] > total]
    assert rates[0] == 6.67e-05
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0]


def test_more_steps_of_one_schedule_need_no_note(run: Run, folders):
    train_run(run, folders, 2)
    assert continued(run, folders, steps=4) == []
