"""Disturbances of a training: folders vanish, the clock jumps, another training starts."""

import os
import shutil
import time
from itertools import count
from pathlib import Path

import pytest

from cyclegan.checkpoints.model_file import load_tensors, save_tensors
from cyclegan.checkpoints.run import Run, locked
from cyclegan.checkpoints.states import load_state, states
from cyclegan.errors import DataError, DiskError, RunError
from tests.support.runs import contents, train_run

STEPS = 8
HOUR = 3600
OFTEN = {"logging": {"save_minutes": 0}}


def once_at(step: int, act):
    """Return callbacks that call `act` once, after `step`."""
    return {"callbacks": [lambda _, info: act() if info.step == step else None]}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "checkpoints" / "horses2zebras")


@pytest.fixture
def whole(tmp_path: Path, folders) -> Run:
    """Return a run that was not disturbed."""
    whole = Run(tmp_path / "whole")
    train_run(whole, folders, STEPS)
    return whole


def test_a_second_training_in_one_folder_is_an_error(run: Run):
    with locked(run), pytest.raises(RunError, match=f"horses2zebras: process {os.getpid()} on "), locked(run):
        pass


def test_a_run_moved_during_training_continues_at_its_new_path(run: Run, whole: Run, folders, tmp_path):
    moved = Run(tmp_path / "moved")
    with pytest.raises(DiskError, match="cannot be written"):
        train_run(run, folders, STEPS, OFTEN, **once_at(3, lambda: move(run, moved)))
    assert train_run(moved, folders, STEPS).finished
    assert contents(moved)["state"] == contents(whole)["state"]


def move(run: Run, moved: Run) -> None:
    """Move a run, and leave a file in its place, so that it cannot come back."""
    run.folder.rename(moved.folder)
    run.folder.touch()


@pytest.mark.parametrize("next_written", [{"every": 1}, {"save_minutes": 0}, {"samples_every": 1}])
def test_a_run_deleted_during_training_is_an_error(run: Run, whole: Run, folders, next_written):
    deleted = once_at(6, lambda: shutil.rmtree(run.folder))
    with pytest.raises(DiskError, match="the run in it is gone"):
        train_run(run, folders, STEPS, {"logging": next_written}, **deleted)
    assert not run.folder.exists(), "part of the run was written again"
    assert train_run(run, folders, STEPS).finished
    assert contents(run) == contents(whole)


def test_a_run_that_becomes_read_only_is_an_error(run: Run, whole: Run, folders, monkeypatch):
    """A mock refuses, since root in a container may write everywhere."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(DiskError, match="cannot be written: Permission denied"):
        train_run(run, folders, STEPS, OFTEN, **once_at(3, lambda: monkeypatch.setattr("tempfile.mkstemp", refuse)))
    monkeypatch.undo()
    assert train_run(run, folders, STEPS).finished
    assert contents(run)["state"] == contents(whole)["state"]


def test_pictures_deleted_during_training_change_nothing(run: Run, whole: Run, folders):
    train_run(run, folders, STEPS, **once_at(2, lambda: shutil.rmtree(folders[0])))
    assert contents(run) == contents(whole)
    with pytest.raises(DataError, match="there is no folder"):
        train_run(run, folders, STEPS + 1)


@pytest.mark.parametrize("jump", [-HOUR, 24 * HOUR, 365 * 24 * HOUR])
def test_a_clock_that_jumps_changes_nothing(jump: int, run: Run, whole: Run, folders, monkeypatch):
    now, jumps = time.time(), count()
    monkeypatch.setattr("time.time", lambda: now + jump * next(jumps))
    train_run(run, folders, STEPS // 2, OFTEN)
    assert train_run(run, folders, STEPS).finished
    assert contents(run)["state"] == contents(whole)["state"]


class Killed(BaseException):
    """Ends a training where a file would get its name, and leaves everything as it is."""


def test_a_kill_between_any_write_and_its_rename_costs_nothing(run: Run, folders, tmp_path, monkeypatch):
    validating = {
        "data": {"validate_a": str(folders[1]), "validate_b": str(folders[0])},  # the others will do for a test
        "logging": {"save_minutes": 0, "validate_every": 1, "every": 1},
    }
    whole, renamed, rename = Run(tmp_path / "whole"), [], Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda path, target: (renamed.append(target.name), rename(path, target)))
        train_run(whole, folders, 2, validating)
    assert {"step-000000001.safetensors", "model.safetensors", "best.safetensors"} < set(renamed)
    for number, name in enumerate(renamed):
        left = iter(range(number))

        def kill(path: Path, target: Path, left=left) -> None:
            if next(left, None) is None:
                raise Killed
            rename(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", kill)
            patch.setattr(Path, "unlink", lambda *_, **__: None)
            with pytest.raises(Killed):
                train_run(run, folders, 2, validating)
        assert train_run(run, folders, 2, validating).finished
        assert contents(run) == contents(whole), (number, name)
        assert not list(run.folder.rglob("*.partial"))
        shutil.rmtree(run.folder)


@pytest.mark.parametrize("facts", ["[]", "{}", '{"step": 3, "pictures": 7}', "[" * 5000])
def test_a_state_with_invalid_facts_is_skipped(run: Run, folders, facts: str):
    train_run(run, folders, 4, OFTEN)
    newest = states(run)[0]
    tensors, metadata = load_tensors(newest)
    save_tensors(newest, tensors, metadata | {"facts": facts})
    _, found, passed_over = load_state(run)
    assert found["step"] == 3
    assert "damaged" in passed_over[0]
