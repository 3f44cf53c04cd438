"""Several devices play the game that one plays with all their pairs, and a run outlives each of them."""

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

from cyclegan.checkpoints.runs import Run, load_state, save_state
from cyclegan.config import build_config, save_config
from cyclegan.data.loader import batches
from cyclegan.errors import ConfigError, DeviceError
from cyclegan.training import Ranks, TrainInputs, fabric
from cyclegan.training.state import merge_ranks, select_rank
from tests.training.runs_for_tests import tiny_settings, train_run, what_is_left
from tests.training.sick_games import Case, inputs_of

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def on(count: int, rank: int = 0, lead: int = 0, **settings: dict) -> TrainInputs:
    """Return a plan of 32 pictures of each domain for one of several ranks."""
    return replace(inputs_of(Run(Path()), Case(settings=settings)), ranks=Ranks(rank, count), batch_offset=lead)


def start(*arguments: object, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_ranks_together_have_the_gradients_and_weights_of_one_with_both_batches(tmp_path):
    pair = start(*TORCHRUN, "-m", "tests.training.two_ranks", tmp_path, 1, folder=ROOT)
    both = start("-m", "tests.training.two_ranks", tmp_path, 2, folder=ROOT)
    for process in (pair, both):
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
    first, second, one = (load_file(tmp_path / f"{name}.safetensors") for name in ("2-0", "2-1", "1-0"))
    assert {name.split(".")[1] for name in one if name.startswith("gradient")} == {"a2b", "b2a", "disc_a", "disc_b"}
    for name, expected in one.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], expected, rtol=0, atol=1e-6 * float(expected.abs().max()), msg=name)


def test_ranks_draw_together_what_one_device_draws_with_all_their_pairs():
    plans = [on(2, rank) for rank in (0, 1)]
    config = build_config({"machine": {"workers": 0}}, {"data": {"size": 32, "load_size": 32}})
    joined = replace(config, game=replace(config.training, batch_size=2))
    a, b = plans[0].domain_a, plans[0].domain_b
    theirs = [batches(a, b, config, plan.batches_before(7) + plan.ranks.rank, plan.ranks.count) for plan in plans]
    whole = batches(a, b, joined, 7)
    for _ in range(4):
        parts = [next(stream) for stream in theirs]
        for side, expected in enumerate(next(whole)):
            assert torch.equal(torch.cat([part[side] for part in parts]), expected)


def test_an_epoch_has_every_picture_once_on_any_number_of_devices():
    schedule = {"epochs": 3, "decay_epochs": 0, "max_steps": "none"}
    for count in (1, 2, 3, 5):
        plan = on(count, schedule=schedule)
        assert (plan.total_steps - 1) * count < 3 * 32 <= plan.total_steps * count
        assert plan.epochs == 3
        assert [plan.epoch(step) for step in (0, 31 // count, 32 // count + 1)] == [1, 1, 2]


def test_on_another_number_of_devices_the_data_go_on_where_they_were_and_the_epochs_keep_their_length():
    schedule = {"epochs": 4, "decay_epochs": 0, "max_steps": "none"}
    before = on(2, schedule=schedule)
    step = 40
    after = on(1, lead=before.lead + step * (2 - 1), schedule=schedule)
    assert after.batches_before(step) == before.batches_before(step)
    assert after.epoch(step) == before.epoch(step)
    assert after.total_steps - step == 2 * (before.total_steps - step)


@pytest.mark.parametrize(("scale", "rate"), [("none", 2e-3), ("sqrt", 4e-3), ("linear", 8e-3)])
def test_the_learning_rate_grows_with_the_devices_only_as_asked(scale, rate):
    assert on(4, optimizer={"scale": scale}).full_learning_rate == pytest.approx(rate)
    assert on(1, optimizer={"scale": scale}).full_learning_rate == 2e-3


def test_each_rank_finds_its_own_things_in_a_state_and_a_new_one_begins_anew():
    states = [
        {"network.a2b.w": torch.ones(1), "pool.a.images": torch.full((1,), rank), "tally": torch.full((2, 3), rank)}
        for rank in range(2)
    ]
    saved = merge_ranks(states[0], [{name: state[name] for name in ("pool.a.images", "tally")} for state in states])
    beginning = {"network.a2b.w": torch.zeros(1), "random.cpu": torch.ones(1)}
    assert select_rank(1, saved, beginning)["pool.a.images"] == 1
    new = select_rank(2, saved, beginning)
    assert new["network.a2b.w"] == 1
    assert "pool.a.images" not in new
    assert new["random.cpu"] == 1
    assert not new["tally"].any()


def test_a_continuation_on_another_number_of_devices_says_what_is_not_exact(tmp_path, folders):
    run = Run(tmp_path / "run")
    train_run(run, folders, 4)
    tensors, facts, _ = load_state(run)
    save_state(run, 4, tensors, facts | {"ranks": 2})
    outcome = train_run(run, folders, 6)
    assert "of 2 devices and this goes on with 1" in outcome.notes[0]
    assert load_state(run)[1]["lead"] == 4


def test_the_summary_says_how_many_devices_and_which_learning_rate(command, folders):
    said = command("train", *folders, "--preset", "tiny", "--devices", 2, "--scale-lr", "linear", "--dry-run")
    assert "2, with 2 pairs in a step; learning rate 0.0004 (--scale-lr linear)" in said.stdout


def killed(process: "subprocess.Popen[str]", rank: int) -> None:
    """Kill one rank of a training."""
    for child in psutil.Process(process.pid).children(recursive=True):
        if child.environ().get("RANK") == str(rank):
            child.kill()


def test_more_devices_than_there_are_is_a_sentence(monkeypatch):
    monkeypatch.setattr(fabric, "choose_device", lambda _: torch.device("cuda:1"))
    with pytest.raises(DeviceError, match="2 devices are asked for, and there is 1"):
        fabric.with_device_count(build_config({"machine": {"devices": 2, "device": "cuda:1"}}))


def test_what_several_devices_play_is_not_compiled(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(ConfigError, match="cannot be compiled"):
        fabric.with_device_count(build_config({"machine": {"devices": 2, "device": "cpu", "compile": "on"}}))


@pytest.mark.slow
def test_a_killed_rank_ends_the_others_and_the_same_command_ends_as_if_nobody_had_been_killed(tmp_path, folders):
    """The unbroken run goes by torchrun, the broken one by --devices 2; CYCLEGAN_KILLS of 2 kill the first rank too."""
    settings = tmp_path / "settings.toml"
    config = build_config(*tiny_settings(folders, 60), {"logging": {"save_minutes": 0, "samples_every": 30}})
    save_config(config, settings)

    def arguments(name: str) -> list[object]:
        return ["-m", "cyclegan", "train", *folders, "--config", settings, "--checkpoints", tmp_path, "--name", name]

    whole = start(*TORCHRUN, *arguments("whole"), folder=tmp_path)
    _, said = whole.communicate(timeout=300)
    assert whole.returncode == 0, said
    for rank in (1, 0)[: int(os.environ.get("CYCLEGAN_KILLS", "1"))]:
        broken = start(*arguments("broken"), "--devices", 2, folder=tmp_path)
        before = newest(tmp_path / "broken")
        while newest(tmp_path / "broken") == before:
            assert broken.poll() is None, broken.stderr.read()
            time.sleep(0.02)
        killed(broken, rank)
        _, said = broken.communicate(timeout=60)
        assert broken.returncode == 2
        assert f"rank {rank} of 2 was ended from outside (SIGKILL)" in said
        assert newest(tmp_path / "broken") < "step-000000060", "the kill came too late to matter"
    last = start(*arguments("broken"), "--devices", 2, folder=tmp_path)
    _, said = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert what_is_left(Run(tmp_path / "broken")) == what_is_left(Run(tmp_path / "whole"))


def newest(folder: Path) -> str:
    """Return the name of a run's newest state."""
    return max((path.stem for path in (folder / "state").glob("step-*")), default="")
