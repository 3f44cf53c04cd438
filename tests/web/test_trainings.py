"""Trainings that the page starts are processes of their own, found again by the folders of their runs."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cyclegan.checkpoints.process import training_process
from cyclegan.checkpoints.run import Run, locked, record_process
from cyclegan.checkpoints.states import state_path
from cyclegan.config import build_config, save_config
from cyclegan.errors import ConfigError, CycleganError, DataError, RunError, UsageError
from cyclegan.web.catalogue import Catalogue
from cyclegan.web.trainings import Trainings, TrainingStatus, TrainRequest, training_status
from tests.support.stand_in_training import ended_trainings, install


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    install(tmp_path, monkeypatch)
    with ended_trainings(tmp_path / "checkpoints"):
        yield restarted(tmp_path)


@pytest.fixture
def request_(folders: tuple[Path, Path]) -> TrainRequest:
    return TrainRequest(folder_a=folders[0], folder_b=folders[1], preset="tiny", hours=0.5)


def restarted(folder: Path) -> Trainings:
    """Return what a new server knows: nothing but the folder of the runs."""
    return Trainings(Catalogue(checkpoints=folder / "checkpoints"), "cpu")


def wait_for_state(run: Run, state: str) -> TrainingStatus:
    return wait_until(lambda: status if (status := training_status(run)).state == state else None)


def wait_for_message(run: Run, words: str) -> TrainingStatus:
    return wait_until(lambda: status if words in (status := training_status(run)).message else None)


def wait_until(answer: Callable[[], TrainingStatus | None]) -> TrainingStatus:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if status := answer():
            return status
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def test_a_training_is_the_command_with_the_choices(trainings: Trainings, request_: TrainRequest):
    run = trainings.start(request_)
    assert run.name == "horses2zebras"
    said = wait_for_message(run, "--name").message
    assert said.startswith("train --checkpoints /")
    assert "--device cpu --progress plain --json --preset tiny --hours 0.5 -- /" in said
    assert said.endswith(f"{request_.folder_a} {request_.folder_b}")


def test_one_training_runs_at_a_time_also_after_a_restart(trainings: Trainings, request_: TrainRequest, tmp_path: Path):
    trainings.start(request_)
    for server in (trainings, restarted(tmp_path)):
        with pytest.raises(RunError, match="horses2zebras is being trained"):
            server.start(replace(request_, name="other"))
        with pytest.raises(RunError, match="horses2zebras is being trained"):
            server.resume(Run(tmp_path / "checkpoints" / "other"))
    assert not (tmp_path / "checkpoints" / "other").exists()


def test_two_clicks_start_one_training(trainings: Trainings, request_: TrainRequest, tmp_path: Path):
    with ThreadPoolExecutor(4) as clicks:
        answers = [clicks.submit(trainings.start, request_) for _ in range(4)]
    assert sum(answer.exception() is None for answer in answers) == 1
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["horses2zebras"]


def test_a_restarted_server_finds_a_training_and_stops_it(trainings: Trainings, request_: TrainRequest, tmp_path: Path):
    run = trainings.start(request_)
    wait_for_message(run, "--name")
    server = restarted(tmp_path)
    [found] = server.catalogue.runs().values()
    assert training_status(found).can_stop
    assert server.stop(found)
    assert training_status(found) == TrainingStatus("stopped", "Nothing was trained yet.")
    assert server.stop(found)  # it has ended already


def test_a_training_that_is_stopped_before_it_can_say_so_has_stopped(trainings: Trainings, request_: TrainRequest):
    run = trainings.start(replace(request_, name="deaf"))
    assert trainings.stop(run)
    assert training_status(run).state == "stopped"


def test_a_training_that_takes_longer_to_stop_has_stopped_in_the_end(
    trainings: Trainings, request_: TrainRequest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cyclegan.web.trainings.STOP_SECONDS", 0.1)
    run = trainings.start(replace(request_, name="slow"))
    wait_for_message(run, "--name")
    assert not trainings.stop(run)
    assert wait_for_state(run, "stopped").message == "Nothing was trained yet."


def test_the_error_of_a_failed_training_is_its_message(trainings: Trainings, request_: TrainRequest):
    run = trainings.start(replace(request_, name="fails"))
    message = wait_for_state(run, "failed").message
    assert message == "cyclegan: <b>all</b> pictures are damaged. Choose others."
    assert trainings.start(replace(request_, name="fails")) == run  # nothing is in the way of another attempt


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_killed_training_has_failed(trainings: Trainings, request_: TrainRequest):
    run = trainings.start(request_)
    wait_for_message(run, "--name")
    process = training_process(run)
    assert process
    os.kill(process.pid, signal.SIGKILL)
    assert "was killed" in wait_for_state(run, "failed").message


def test_a_finished_training_says_so_and_keeps_its_name(trainings: Trainings, request_: TrainRequest):
    run = trainings.start(replace(request_, name="finishes"))
    state_path(run, 1200).touch()
    assert wait_for_state(run, "finished") == TrainingStatus("finished", "Step 1,200 was the last.")
    with pytest.raises(RunError, match="there is a run finishes already"):
        trainings.start(replace(request_, name="finishes"))


def test_without_a_name_the_first_free_one_is_taken(trainings: Trainings, request_: TrainRequest, tmp_path: Path):
    (tmp_path / "checkpoints" / "horses2zebras" / "mine").mkdir(parents=True)
    assert trainings.start(request_).name == "horses2zebras-2"


def test_a_run_continues_with_its_settings(trainings: Trainings, request_: TrainRequest):
    run = trainings.start(replace(request_, name="deaf"))
    trainings.stop(run)
    with pytest.raises(RunError, match="deaf has no settings yet"):
        trainings.resume(run)
    save_config(build_config({"data": {"folder_a": "a", "folder_b": "b"}}), run.config)
    assert training_status(run).can_continue
    trainings.resume(run)
    assert wait_for_message(run, "--config").message.endswith(f"--config {run.config}")


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"hours": 0}, ConfigError, "schedule.hours"),
        ({"preset": "huge"}, ConfigError, "unknown preset huge"),
        ({"name": "a/b"}, UsageError, "cannot be a run's name"),
        ({"name": ".."}, UsageError, "cannot be a run's name"),
        ({"folder_a": Path("/nowhere")}, DataError, "does not exist"),
        ({"folder_a": Path(__file__)}, DataError, "is a file"),
        ({"folder_a": Path(__file__).parent}, DataError, "there are no pictures"),
    ],
)
def test_invalid_choices_start_nothing(
    trainings: Trainings, request_: TrainRequest, change: dict, kind: type[CycleganError], words: str
):
    with pytest.raises(kind, match=words):
        trainings.start(replace(request_, **change))
    with pytest.raises(DataError, match="both folders are the same"):
        trainings.start(replace(request_, folder_a=request_.folder_b))
    assert not trainings.catalogue.checkpoints.exists()


def test_a_training_of_another_program_is_seen_and_left_alone(trainings: Trainings, tmp_path: Path):
    run = Run(tmp_path / "checkpoints" / "notebook")
    with locked(run):
        assert training_status(run) == TrainingStatus("training")
        with pytest.raises(RunError, match="is trained by another program"):
            trainings.stop(run)
    assert training_status(run) == TrainingStatus("")  # this process lives on, as a notebook does


def test_a_process_that_is_younger_than_the_record_is_another_one(tmp_path: Path, monkeypatch):
    run = Run(tmp_path / "run")
    with locked(run):
        os.utime(run.process, (0, 0))
        assert training_process(run), "where it holds the lock, the clock has jumped"
    monkeypatch.setattr("cyclegan.checkpoints.process.is_train_command", lambda *_: True)
    run.folder.mkdir(exist_ok=True)
    record_process(run, os.getpid())
    assert training_process(run)
    os.utime(run.process, (0, 0))
    assert training_process(run) is None
    with locked(run):
        run.process.write_text(f"process {os.getpid()} on another machine")
        assert training_process(run) is None
