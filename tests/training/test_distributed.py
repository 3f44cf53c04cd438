"""Several devices train like one with all their samples, and a run outlives each of them."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from cyclegan.checkpoints.run import Run
from cyclegan.checkpoints.states import load_state, save_state
from cyclegan.config import build_config, save_config
from cyclegan.data.loader import batches
from cyclegan.errors import ConfigError, DeviceError
from cyclegan.training import Ranks, TrainInputs, fabric
from cyclegan.training.state import merge_ranks, select_rank
from tests.support.failing_trainings import Case, inputs_of
from tests.support.runs import contents, tiny_settings, train_run

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def on(count: int, rank: int = 0, batch_offset: int = 0, **settings: dict) -> TrainInputs:
    """Return the inputs of a training with 32 pictures of each domain for one of several ranks."""
    return replace(inputs_of(Run(Path()), Case(settings=settings)), ranks=Ranks(rank, count), batch_offset=batch_offset)


def start(*arguments: object, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("cycle_b", [10, 0])
def test_two_ranks_equal_one_with_both_batches(tmp_path, cycle_b):
    two_ranks = start(*TORCHRUN, "-m", "tests.support.train_on_ranks", tmp_path, 1, cycle_b, folder=ROOT)
    one_process = start("-m", "tests.support.train_on_ranks", tmp_path, 2, cycle_b, folder=ROOT)
    for process in (two_ranks, one_process):
        _, stderr = process.communicate(timeout=240)
        assert process.returncode == 0, stderr
    first, second, one = (load_file(tmp_path / f"{name}.safetensors") for name in ("2-0", "2-1", "1-0"))
    assert {name.split(".")[1] for name in one if name.startswith("gradient")} == {"a2b", "b2a", "disc_a", "disc_b"}
    for name, expected in one.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], expected, rtol=0, atol=1e-6 * float(expected.abs().max()), msg=name)


def test_ranks_draw_the_samples_of_one_larger_batch():
    inputs_of_ranks = [on(2, rank) for rank in (0, 1)]
    config = build_config({"machine": {"workers": 0}}, {"data": {"size": 32, "load_size": 32}})
    joined = replace(config, training=replace(config.training, batch_size=2))
    a, b = inputs_of_ranks[0].domain_a, inputs_of_ranks[0].domain_b
    streams = [
        batches(a, b, config, inputs.batches_before(7) + inputs.ranks.rank, inputs.ranks.count)
        for inputs in inputs_of_ranks
    ]
    whole = batches(a, b, joined, 7)
    for _ in range(4):
        parts = [next(stream) for stream in streams]
        for domain, expected in enumerate(next(whole)):
            assert torch.equal(torch.cat([part[domain] for part in parts]), expected)


def test_an_epoch_has_every_picture_once_on_any_number_of_devices():
    schedule = {"epochs": 3, "decay_epochs": 0, "max_steps": "none"}
    for count in (1, 2, 3, 5):
        inputs = on(count, schedule=schedule)
        assert (inputs.total_steps - 1) * count < 3 * 32 <= inputs.total_steps * count
        assert inputs.epochs == 3
        assert [inputs.epoch(step) for step in (0, 31 // count, 32 // count + 1)] == [1, 1, 2]


def test_another_number_of_devices_keeps_the_position_in_the_data():
    schedule = {"epochs": 4, "decay_epochs": 0, "max_steps": "none"}
    before = on(2, schedule=schedule)
    step = 40
    after = on(1, batch_offset=before.batch_offset + step * (2 - 1), schedule=schedule)
    assert after.batches_before(step) == before.batches_before(step)
    assert after.epoch(step) == before.epoch(step)
    assert after.total_steps - step == 2 * (before.total_steps - step)


@pytest.mark.parametrize(("scale", "rate"), [("none", 2e-3), ("sqrt", 4e-3), ("linear", 8e-3)])
def test_the_learning_rate_scales_as_the_setting_says(scale, rate):
    assert on(4, optimizer={"scale": scale}).full_learning_rate == pytest.approx(rate)
    assert on(1, optimizer={"scale": scale}).full_learning_rate == 2e-3


def test_each_rank_restores_its_own_tensors():
    states = [
        {"network.a2b.w": torch.ones(1), "pool.a.images": torch.full((1,), rank), "means": torch.full((2, 3), rank)}
        for rank in range(2)
    ]
    saved = merge_ranks(states[0], [{name: state[name] for name in ("pool.a.images", "means")} for state in states])
    beginning = {"network.a2b.w": torch.zeros(1), "random.cpu": torch.ones(1)}
    assert select_rank(1, saved, beginning)["pool.a.images"] == 1
    new = select_rank(2, saved, beginning)
    assert new["network.a2b.w"] == 1
    assert "pool.a.images" not in new
    assert new["random.cpu"] == 1
    assert not new["means"].any()


def test_continuing_on_other_devices_reports_inexactness(tmp_path, folders):
    run = Run(tmp_path / "run")
    train_run(run, folders, 4)
    tensors, facts, _ = load_state(run)
    save_state(run, 4, tensors, facts | {"ranks": 2})
    result = train_run(run, folders, 6)
    assert "of 2 devices and training continues on 1" in result.notes[0]
    assert load_state(run)[1]["batch_offset"] == 4


def test_the_summary_says_how_many_devices_and_which_learning_rate(command, folders):
    result = command("train", *folders, "--preset", "tiny", "--devices", 2, "--scale-lr", "linear", "--dry-run")
    assert "2, with 2 samples in a step; learning rate 0.0004 (--scale-lr linear)" in result.stdout


def killed(process: "subprocess.Popen[str]", rank: int) -> None:
    """Kill one rank of a training."""
    for child in psutil.Process(process.pid).children(recursive=True):
        if child.environ().get("RANK") == str(rank):
            child.kill()


def test_too_many_devices_are_an_error(monkeypatch):
    monkeypatch.setattr(fabric, "choose_device", lambda _: torch.device("cuda:1"))
    with pytest.raises(DeviceError, match="--devices is 2, and this machine has 1"):
        fabric.with_device_count(build_config({"machine": {"devices": 2, "device": "cuda:1"}}))


def test_compilation_for_several_devices_is_an_error(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ConfigError, match="cannot be compiled"):
        fabric.with_device_count(build_config({"machine": {"devices": 2, "device": "cpu", "compile": "on"}}))


@pytest.mark.slow
def test_a_killed_rank_ends_all_and_training_continues_exactly(tmp_path, folders):
    """The unbroken run goes by torchrun, the broken one by --devices 2; CYCLEGAN_KILLS of 2 kill the first rank too."""
    settings = tmp_path / "settings.toml"
    logging, schedule = {"save_minutes": 0, "samples_every": 30}, {"epochs": 20}
    save_config(build_config(*tiny_settings(folders, 60), {"logging": logging, "schedule": schedule}), settings)

    def arguments(name: str) -> list[object]:
        return ["-m", "cyclegan", "train", *folders, "--config", settings, "--checkpoints", tmp_path, "--name", name]

    def broken_after_a_save() -> "subprocess.Popen[str]":
        broken = start(*arguments("broken"), "--devices", 2, folder=tmp_path)
        before = newest(tmp_path / "broken")
        while newest(tmp_path / "broken") == before:
            assert broken.poll() is None, broken.stderr.read()
            time.sleep(0.02)
        return broken

    whole = start(*TORCHRUN, *arguments("whole"), folder=tmp_path)
    _, stderr = whole.communicate(timeout=300)
    assert whole.returncode == 0, stderr
    for rank in (1, 0)[: int(os.environ.get("CYCLEGAN_KILLS", "1"))]:
        broken = broken_after_a_save()
        killed(broken, rank)
        _, stderr = broken.communicate(timeout=60)
        assert broken.returncode == 2
        assert f"rank {rank} of 2 was ended from outside (SIGKILL)" in stderr
        assert newest(tmp_path / "broken") < newest(tmp_path / "whole"), "the kill came too late to matter"
    broken = broken_after_a_save()
    broken.kill()
    broken.communicate()  # until no rank has its end of the pipes open
    assert newest(tmp_path / "broken") < newest(tmp_path / "whole"), "the ranks trained on alone"
    last = start(*arguments("broken"), "--devices", 2, folder=tmp_path)
    _, stderr = last.communicate(timeout=300)
    assert last.returncode == 0, stderr
    assert contents(Run(tmp_path / "broken")) == contents(Run(tmp_path / "whole"))


def newest(folder: Path) -> str:
    """Return the name of a run's newest state."""
    return max((path.stem for path in (folder / "state").glob("step-*")), default="")
