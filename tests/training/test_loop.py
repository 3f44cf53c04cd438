"""A run writes what it promises, and continues as if it had never stopped."""

import math
import os
import random
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from cyclegan import Translator
from cyclegan.atomic import write_text
from cyclegan.checkpoints.model_file import load_model
from cyclegan.checkpoints.records import SAMPLE_GAP, read_metrics, sample_grids
from cyclegan.checkpoints.run import Run, locked
from cyclegan.checkpoints.states import load_state, unaveraged_model
from cyclegan.config import build_config, save_config
from cyclegan.errors import DiskError, MissingExtraError, RunError, TrainingDivergedError
from cyclegan.training import callbacks
from cyclegan.training.ema import ema_weight, update_ema
from cyclegan.training.running_means import RunningMeans
from tests.support.killable import start
from tests.support.runs import contents, stop_at, tiny_settings, train_run
from tests.support.states import LOSSES_WITHOUT_TEACHER

STEPS = 14


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "checkpoints" / "horses2zebras")


def test_a_run_leaves_the_documented_files(run: Run, folders):
    result = train_run(run, folders, STEPS)
    assert result.finished
    assert result.steps_done == STEPS
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "config.toml", "metrics.jsonl", "model.safetensors", "samples", "state",
    ]  # fmt: skip
    lines = read_metrics(run)
    assert [line["step"] for line in lines] == [4, 8, 12, 14]
    assert all(name in line for line in lines for name in LOSSES_WITHOUT_TEACHER)
    assert [path.stem for path in sample_grids(run)] == ["000000005", "000000010", "000000014"]
    info, weights = load_model(run.model)
    assert (info.domain_a, info.domain_b, info.size, info.steps, info.averaged) == ("horses", "zebras", 32, 14, True)
    assert {name.split(".")[0] for name in weights} == {"a2b", "b2a", "disc_a", "disc_b"}


@pytest.mark.parametrize(
    "settings",
    [
        {"generator": {"architecture": "unet"}},
        {"discriminator": {"architecture": "pixel"}},
        {"discriminator": {"layers": 3}, "loss": {"adversarial": "hinge"}},
        {"loss": {"identity": 0, "adversarial": "vanilla"}, "training": {"pool_size": 0, "batch_size": 1}},
        {"training": {"precision": "bf16"}},
        {"data": {"keep_aspect": False}},
    ],
)
def test_every_architecture_and_objective_trains_and_translates(run: Run, folders, settings):
    assert train_run(run, folders, 3, settings).finished
    output = Translator(run.folder, device="cpu")(torch.rand(1, 3, 20, 30) * 2 - 1)
    assert output.isfinite().all()


def test_a_grid_shows_real_fake_and_cycled_of_both_domains(run: Run, folders):
    train_run(run, folders, 5)
    with Image.open(sample_grids(run)[0]) as grid:
        assert grid.size == (2 * 3 * 32 + SAMPLE_GAP, 2 * 32)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(run: Run, folders, tmp_path):
    train_run(run, folders, STEPS)
    broken = Run(tmp_path / "broken")
    for stop in (3, 4, 9):
        assert not train_run(broken, folders, STEPS, **stop_at(stop)).finished
    assert train_run(broken, folders, STEPS).finished
    assert contents(broken) == contents(run)


def test_an_interrupted_run_on_pairs_ends_like_an_uninterrupted_one(run: Run, folders, tmp_path):
    (folders[1] / "1.png").rename(folders[1] / "other.png")
    paired, broken = {"data": {"paired": True}}, Run(tmp_path / "broken")
    train_run(run, folders, STEPS, paired)
    train_run(broken, folders, STEPS, paired, **stop_at(6))
    assert train_run(broken, folders, STEPS, paired).finished
    assert contents(broken) == contents(run)


def test_a_truncated_state_is_skipped_for_the_one_before(run: Run, folders, tmp_path):
    train_run(run, folders, STEPS)
    broken = Run(tmp_path / "broken")
    train_run(broken, folders, STEPS, **stop_at(5))
    train_run(broken, folders, STEPS, **stop_at(8))
    newest = max(broken.states.glob("step-*"))
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    result = train_run(broken, folders, STEPS)
    assert "is damaged; the state before it is used" in result.notes[0]
    assert result.steps_done == STEPS - 5
    assert contents(broken) == contents(run)


def test_a_failed_save_leaves_the_state_before(run: Run, folders, monkeypatch):
    train_run(run, folders, STEPS, **stop_at(5))
    before = load_state(run)

    def full(*_):
        raise DiskError("no room left on the disk.", "")

    monkeypatch.setattr(callbacks, "save_state", full)
    with pytest.raises(DiskError):
        train_run(run, folders, STEPS)
    assert load_state(run)[1] == before[1]


def test_only_two_states_are_kept(run: Run, folders):
    train_run(run, folders, STEPS, {"logging": {"save_minutes": 0}})
    assert sorted(path.stem for path in run.states.glob("step-*")) == ["step-000000013", "step-000000014"]


def test_a_finished_run_can_be_extended(run: Run, folders, tmp_path):
    train_run(run, folders, 8)
    assert train_run(run, folders, 8).steps_done == 0
    assert train_run(run, folders, STEPS).steps_done == STEPS - 8
    whole = Run(tmp_path / "whole")
    train_run(whole, folders, STEPS)
    assert contents(run)["state"] == contents(whole)["state"]


def test_a_missing_model_is_written_again_from_the_state(run: Run, folders):
    train_run(run, folders, 4)
    _, written = load_model(run.model)
    run.model.unlink()
    assert train_run(run, folders, 4).steps_done == 0
    _, again = load_model(run.model)
    assert all(torch.equal(again[name], weight) for name, weight in written.items())


def test_settings_may_change_while_nothing_has_been_saved(run: Run, folders):
    save_config(build_config(*tiny_settings(folders, 2)), run.config)
    assert train_run(run, folders, 2, {"loss": {"cycle_a": 5}}).finished


def test_a_folder_with_other_files_is_never_used(run: Run, folders):
    run.samples.mkdir(parents=True)
    (run.samples / "0001.png").write_bytes(b"mine")
    with pytest.raises(RunError, match="holds other files"):
        train_run(run, folders, 2)
    assert (run.samples / "0001.png").read_bytes() == b"mine"


def test_a_model_without_a_state_is_not_overwritten(run: Run, folders):
    train_run(run, folders, 2)
    for state in run.states.glob("step-*"):
        state.unlink()
    before = run.model.read_bytes()
    with pytest.raises(RunError, match="no saved state to continue from"):
        train_run(run, folders, 2)
    assert run.model.read_bytes() == before


def test_damaged_settings_of_a_run_are_an_error(run: Run, folders):
    train_run(run, folders, 2)
    run.config.write_text("[data\n")
    with pytest.raises(RunError, match=r"settings of .* cannot be read"):
        train_run(run, folders, 4)


def test_partial_files_of_killed_saves_are_deleted(run: Run, folders):
    train_run(run, folders, 2)
    for folder in (run.folder, run.states, run.samples):
        (folder / ".cyclegan-x.partial").touch()
    train_run(run, folders, 4)
    assert not list(run.folder.rglob("*.partial"))


def test_changed_settings_are_named_with_a_hint(run: Run, folders):
    train_run(run, folders, 2)
    with pytest.raises(RunError, match=r"loss.cycle_a \(was 10.0, now 5.0\)") as caught:
        train_run(run, folders, 4, {"loss": {"cycle_a": 5}})
    assert "--fresh" in caught.value.hint


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(path.read_bytes() + b"more")])
def test_a_changed_folder_is_reported(run: Run, folders, change):
    train_run(run, folders, 4, **stop_at(2))
    change(folders[0] / "1.png")
    assert "horses are not those of the last save" in train_run(run, folders, 4).notes[0]


def test_two_trainings_never_share_a_folder(run: Run):
    with locked(run), pytest.raises(RunError, match="another training is at work"), locked(run):
        pass


def test_a_state_of_another_version_is_an_error(run: Run, folders, monkeypatch):
    monkeypatch.setattr("cyclegan.checkpoints.states.FORMAT", "0")
    train_run(run, folders, 2)
    monkeypatch.undo()
    with pytest.raises(RunError, match="cannot read"):
        train_run(run, folders, 4)


def test_without_ema_the_model_holds_the_networks_themselves(run: Run, folders):
    train_run(run, folders, 2, {"training": {"ema_decay": 0}})
    info, weights = load_model(run.model)
    _, _, bare = unaveraged_model(run)
    assert not info.averaged
    assert all(torch.equal(weights[name], bare[name]) for name in weights)


def test_ema_follows_the_networks_and_soon_forgets_the_start():
    average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    for steps in range(50):
        nn.init.constant_(network.weight, 0.0 if steps == 0 else 1.0)
        update_ema(average, network, torch.tensor(ema_weight(steps, 0.999)))
        if steps == 0:
            assert average.weight == network.weight, "the weights drawn at first are forgotten at once"
    assert 0.98 < average.weight < 1
    assert ema_weight(10**6, 0.999) == pytest.approx(0.001)


def test_non_finite_numbers_are_left_out_of_running_means():
    means = RunningMeans()
    for loss in (1.0, math.nan, 3.0):
        means.add({"gan_a2b": torch.tensor(1.0), "cycle_a": torch.tensor(loss), "disc_a": torch.tensor(math.inf)})
    assert means.compute() == {"gan_a2b": 1.0, "cycle_a": 2.0}


def test_a_diverged_training_is_not_saved_over_a_good_state(run: Run, folders):
    train_run(run, folders, STEPS, **stop_at(4))

    def poison(state, info):
        state.networks.a2b.body[1].weight.data.fill_(math.nan)

    with pytest.raises(TrainingDivergedError):
        train_run(run, folders, STEPS, {"logging": {"save_minutes": 0}}, callbacks=[poison])
    tensors, facts, _ = load_state(run)
    assert facts["step"] == 4  # the callback sets NaN after the fifth step
    assert contents(run)["metrics"][-1]["step"] == 4
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_non_finite_weights_are_never_saved(run: Run, folders):
    def poison(state, info):
        state.ema["a2b"].body[1].weight.data.fill_(math.nan)

    with pytest.raises(TrainingDivergedError, match="weights are no longer finite"):
        train_run(run, folders, 1, callbacks=[poison])
    assert load_state(run) is None


def test_a_missing_extra_is_an_error_with_the_pip_command(run: Run, folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtraError) as caught:
        train_run(run, folders, 2, {"logging": {"tensorboard": True}})
    assert "pip install -c constraints.txt -e '.[tensorboard]'" in caught.value.hint


def test_tensorboard_gets_every_loss(run: Run, folders):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_run(run, folders, 4, {"logging": {"tensorboard": True}})
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    assert set(LOSSES_WITHOUT_TEACHER) <= set(events.Tags()["scalars"])


def test_tensorboard_gets_the_sample_grids(run: Run, folders):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_run(run, folders, 7, {"logging": {"tensorboard": True, "samples_every": 3}})
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    images = events.Images("samples")
    assert [image.step for image in images] == [3, 6, 7]
    with Image.open(run.samples / "000000007.png") as newest:
        assert (images[-1].width, images[-1].height) == newest.size


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no process is forked there")
def test_a_killed_run_ends_like_one_never_killed(folders, tmp_path):
    """Kill processes with SIGKILL between saves, in saves and at the start; CYCLEGAN_KILLS times (10)."""
    whole, killed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    settings = tmp_path / "settings.toml"
    config = build_config(
        {"data": {"size": 32}, "generator": {"width": 4, "blocks": 1}, "discriminator": {"width": 4, "layers": 2}},
        {"training": {"pool_size": 4, "precision": "fp32"}, "machine": {"device": "cpu", "threads": 1}},
        {"data": {"validate_a": str(folders[1]), "validate_b": str(folders[0])}},  # any pictures will do
        {"logging": {"every": 10, "samples_every": 25, "samples": 1, "save_minutes": 0, "validate_every": 10}},
    )
    save_config(config, settings)
    steps = 8 * (kills := int(os.environ.get("CYCLEGAN_KILLS", "10")))

    def started(run: Run) -> BaseProcess:
        options = {"config": settings, "max-steps": steps, "epochs": steps, "checkpoints": tmp_path, "name": run.name}
        arguments = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        return start(["train", *map(str, folders), *arguments, "--quiet"])

    def wait_for_new_state(process: BaseProcess) -> float:
        """Wait for a newer state; return the seconds."""
        start_time, before = time.monotonic(), newest_step(killed)
        while newest_step(killed) == before:
            assert process.is_alive()
            time.sleep(0.002)
        return time.monotonic() - start_time

    (unbroken := started(whole)).join()
    assert unbroken.exitcode == 0
    delays, startup = random.Random(0), 0.0
    for number in range(kills):
        process = started(killed)
        if number % 4 == 3:
            time.sleep(delays.uniform(0, startup))
        else:
            startup = wait_for_new_state(process)
            time.sleep(delays.uniform(0, wait_for_new_state(process)))
        assert process.is_alive()
        process.kill()
        process.join()
    assert newest_step(killed) < steps, "the last kill came too late to matter"
    (last := started(killed)).join()
    assert last.exitcode == 0
    assert contents(killed) == contents(whole)


def newest_step(run: Run) -> int:
    """Return the step of the newest state."""
    return max((int(path.stem.removeprefix("step-")) for path in run.states.glob("step-*")), default=0)


def test_truncated_metrics_are_read_without_the_broken_line(run: Run):
    run.folder.mkdir(parents=True)
    write_text(run.metrics, '{"step": 1}\n[]\nnull\n{"step": 2, "cyc')
    assert read_metrics(run) == [{"step": 1}]
