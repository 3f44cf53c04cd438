"""`train` reports what it does, and ends as documented."""

import json
import os
import re
import signal
import time
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest
import torch
from PIL import Image

from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.errors import TrainingDivergedError
from tests.cli.shared import POSIX, TINY, assert_a_sentence
from tests.support.killable import COMMAND_LINE, end_of, start_code
from tests.support.models import write_model


def test_training_writes_a_report_even_if_it_diverges(command, folders, tmp_path, monkeypatch):
    report = tmp_path / "checkpoints" / "horses2zebras" / "report.html"
    assert command("train", "horses", "zebras", *TINY, "--quiet").returncode == 0
    assert "<dt>Steps</dt><dd>4</dd>" in report.read_text(encoding="utf-8")

    def diverge(*_: object, **__: object) -> None:
        raise TrainingDivergedError("training diverged.")

    report.unlink()
    monkeypatch.setattr(import_module("cyclegan.training.run"), "train_locked", diverge)
    assert_a_sentence(command("train", "horses", "zebras", *TINY), "training diverged", status=3)
    assert report.exists()


def test_a_continuation_is_announced(command, folders):
    assert "Resuming from step" not in command("train", "horses", "zebras", *TINY).stderr
    assert "Resuming from step 4" in command("train", "horses", "zebras", *TINY, "--max-steps", 6).stderr


def test_a_dry_run_writes_nothing(command, folders, tmp_path):
    result = command("train", "horses", "zebras", *TINY, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 4
    assert "horses: 5 pictures" in command("train", "horses", "zebras", *TINY, "--dry-run").stdout
    assert not (tmp_path / "checkpoints").exists()


def test_the_saved_settings_can_be_used_again(command, folders, tmp_path):
    command("train", "horses", "zebras", *TINY, "--seed", "3")
    config = tmp_path / "checkpoints" / "horses2zebras" / "config.toml"
    again = command("train", "--config", config, "--name", "again", "--json")
    assert json.loads(again.stdout)["finished"]
    assert (tmp_path / "checkpoints" / "again" / "config.toml").read_text() == config.read_text()


def test_a_domain_of_fewer_pictures_than_a_grid_has_rows_is_trained_on(command, folders, tmp_path):
    for name in ("2.jpg", "3.webp", "deeper/4.PNG"):
        (folders[0] / name).unlink()
    result = command("train", "horses", "zebras", *TINY, "--set", "logging.diagnose_every=2")
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "checkpoints" / "horses2zebras" / "samples" / "000000004.png") as grid:
        assert grid.height == 4 * 32


@pytest.mark.skipif(not POSIX, reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends_with_130(folders, tmp_path, number):
    arguments, streams = ("train", "horses", "zebras", *TINY, "--max-steps", 100000), tmp_path / "streams"
    process = start_code(COMMAND_LINE, *arguments, folder=tmp_path, streams=streams)
    metrics = tmp_path / "checkpoints" / "horses2zebras" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, number)
    result = end_of(process, streams)
    assert result.returncode == 130, result.stderr
    assert "The same command continues" in result.stdout
    assert len(list((tmp_path / "checkpoints" / "horses2zebras" / "state").glob("step-*"))) == 1


def test_validation_is_shown_while_training(command, folders):
    result = command("train", "horses", "zebras", *TINY, "--validate-a", "zebras", "--validate-b", "horses")
    assert result.returncode == 0
    assert "5 held-out pictures in " in result.stderr
    assert re.search(
        r"validation \d\.\d+ \(distance a2b .* faithfulness a .*\) · new best a2b · new best b2a", result.stderr
    )


def test_the_end_on_a_plateau_is_announced(tmp_path: Path):
    from cyclegan.cli.run_training import ending
    from cyclegan.training import Ranks, TrainResult

    result = TrainResult(Run(tmp_path), Ranks(), step=20, total_steps=100, steps_done=20, seconds=1.0, plateau_epoch=7)
    assert "no better since epoch 7" in ending(result)
    assert "--stop-on-plateau" in ending(result)


def test_damaged_pictures_in_training_are_named_and_skipped(command, folders, tmp_path):
    (folders[0] / "text.jpg").write_text("not a picture")
    (folders[0] / "empty.png").touch()
    whole = (folders[0] / "2.jpg").read_bytes()
    (folders[0] / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    result = command("train", "horses", "zebras", *TINY)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    for words in ("text.jpg is not a picture", "empty.png is empty", "cut.jpg is damaged", "3 pictures that cannot"):
        assert words in result.stderr
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "empty.png").touch()
    assert_a_sentence(command("train", "horses", "bad", *TINY), "1 of 1 pictures of bad cannot be read", "is empty")


def test_a_failed_start_moves_nothing_aside(command, folders, tmp_path):
    command("train", "horses", "zebras", *TINY)
    result = command("train", "horses", "zebras", *TINY, "--fresh", "--batch-size", 9)
    assert_a_sentence(result, "5 readable pictures, fewer than a batch of 9")
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["horses2zebras"]


def test_folders_of_one_name_are_printed_apart(command, folders, tmp_path):
    for place in folders:
        (place / "img").mkdir()
        (place / "1.png").rename(place / "img" / "1.png")
    result = command("train", "horses/img", "zebras/img", *TINY, "--json", "--quiet")
    assert json.loads(result.stdout)["run"] == str(Path("checkpoints/horses_img_a2zebras_img_b"))


@pytest.mark.skipif(not POSIX, reason="Windows has no such pipes")
def test_a_pipe_among_the_pictures_is_ignored(command, folders):
    os.mkfifo(folders[0] / "pipe.jpg")
    assert command("train", "horses", "zebras", *TINY).returncode == 0


def test_paired_pictures_are_counted_and_supervised(command, folders, tmp_path):
    (folders[1] / "1.png").rename(folders[1] / "other.png")
    result = command("train", "horses", "zebras", "--paired", *TINY)
    assert result.returncode == 0, result.stderr
    assert "4 pairs; 1 and 1 pictures have no partner" in result.stderr
    run = Run(tmp_path / "checkpoints" / "horses2zebras")
    assert run.load_config().data.paired
    assert {"paired_a2b", "paired_b2a"} <= read_metrics(run)[-1].keys()
    assert "data.paired (was True, now False)" in command("train", "horses", "zebras", *TINY).stderr


def test_aligned_pictures_are_one_folder(command, folders, tmp_path):
    result = command("train", "horses", "--aligned", *TINY)
    assert result.returncode == 0, result.stderr
    assert re.search("pairs +5 pairs", result.stderr)
    assert command("train", "horses", "--aligned", *TINY, "--json").stdout.startswith('{"run": "checkpoints/horses"')
    for option in (["--aligned"], ["--set", "data.aligned=true"]):
        assert_a_sentence(command("train", "horses", "zebras", *option, *TINY), "--aligned is for one folder")


def test_no_pair_at_all_is_an_error(command, folders):
    for path in [path for path in folders[1].rglob("*") if path.is_file()]:
        path.rename(path.with_stem(f"zebra_{path.stem}"))
    result = command("train", "horses", "zebras", "--paired", *TINY)
    assert_a_sentence(result, "/horses has a partner of the same name in", "/zebras", "without --paired")


def test_the_live_display_shows_every_loss(tmp_path, folders):
    from rich.console import Console

    from cyclegan.cli.display import TrainingDisplay
    from cyclegan.losses import LOSS_NAMES
    from tests.support.runs import train_run

    screens, display = [], TrainingDisplay(live=False)

    def show(state, info):
        display(state, info)
        console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
        console.print(display.renderable(info))
        screens.append(console.export_text())
        console.file.close()

    every_term = {"training": {"teacher": str(write_model(tmp_path / "m.safetensors"))}, "data": {"paired": True}}
    train_run(Run(tmp_path / "run"), folders, 8, every_term, callbacks=[show])
    assert all(name in screens[-1] for name in LOSS_NAMES)
    assert "epoch 3/3 · step 8/8" in screens[-1]
    assert "health fine" in screens[-1]
    assert not any(name in screens[0] for name in LOSS_NAMES)


def test_each_finding_is_printed_once(capsys):
    from types import SimpleNamespace

    from cyclegan.cli.display import TrainingDisplay

    finding = {
        "name": "collapse",
        "about": "a2b",
        "verdict": "watch",
        "reason": "They are alike.",
        "suggestion": "Wait.",
    }
    seconds = count(step=100)
    display = TrainingDisplay(live=False, clock=lambda: next(seconds))
    for step, findings in ((10, []), (20, [finding]), (30, [finding]), (40, [])):
        verdict = "watch" if findings else "fine"
        line = {"step": step, "disc_accuracy_a": 0.7, "health": {"verdict": verdict, "findings": findings}}
        info = SimpleNamespace(step=step, total_steps=40, epoch=1, total_epochs=4, metrics=line, last=False)
        display(SimpleNamespace(plan=None), info)
    printed = capsys.readouterr().err.splitlines()
    assert [line.rpartition("health ")[2] for line in printed if "step" in line] == ["fine", "watch", "watch", "fine"]
    assert printed[2] == "  watch: They are alike. Wait."
    assert len(printed) == 5
    assert "discriminator accuracy a 70% (ideal 50%)" in printed[0]


def test_a_diverged_training_ends_with_3(command, folders, tmp_path, monkeypatch):
    from cyclegan.training import step_runner

    train_step = step_runner.train_step
    monkeypatch.setattr(
        step_runner, "train_step", lambda state, a, b, **how: train_step(state, torch.full_like(a, torch.nan), b, **how)
    )
    result = command("train", "horses", "zebras", *TINY)
    assert_a_sentence(result, "training diverged", "not finite", "--fresh", status=3)
    assert len(list((tmp_path / "checkpoints" / "horses2zebras" / "state").glob("step-*"))) == 1
    last = read_metrics(Run(tmp_path / "checkpoints" / "horses2zebras"))[-1]
    assert last["health"]["findings"][0]["name"] == "not_finite"


def test_hours_choose_the_networks_and_continue_with_them(command, folders, tmp_path, monkeypatch):
    monkeypatch.setattr("cyclegan.training.speed.measured_seconds_per_step", lambda _: 1.0)
    timed = ["train", "horses", "zebras", "--hours", 1, "--device", "cpu", "--set", "generator.width=4"]
    result = command(*timed, "--set", "schedule.max_steps=2")
    assert result.returncode == 0, result.stderr
    assert "For 1 h 00 min: 48 px cropped from 72, ResNet, residual blocks: 4, width 4" in result.stderr
    plan = r"About 2 steps at 1 s: (59 min \d\d s|1 h 00 min) of 1 h 00 min left, until \d\d:\d\d; the learning"
    assert re.search(plan, result.stderr)
    config = Run(tmp_path / "checkpoints" / "horses2zebras").load_config()
    assert (config.schedule.hours, config.data.size, config.logging.every) == (1.0, 48, 10)

    monkeypatch.setattr("cyclegan.training.speed.measured_seconds_per_step", lambda _: 1e-5)
    again = command(*timed, "--set", "schedule.max_steps=3")
    assert again.returncode == 0, again.stderr
    assert "Resuming from step 2, with " in again.stderr


@pytest.mark.parametrize("other", ["--epochs", "--decay-epochs", "--max-steps", "--minutes"])
def test_hours_exclude_every_other_length(command, folders, other):
    assert_a_sentence(command("train", "horses", "zebras", "--hours", 1, other, 1), f"--hours and {other} both say")


def test_epochs_replace_the_hours_of_a_run():
    from cyclegan.cli.options import settings_of

    assert settings_of({"epochs": 3}) == {"schedule": {"epochs": 3, "hours": "none"}}
    assert settings_of({"minutes": 30}) == {"schedule": {"hours": 0.5}}


def test_the_time_of_a_long_training_is_said_before(command, folders, monkeypatch):
    monkeypatch.setattr("cyclegan.training.speed.measured_seconds_per_step", lambda _: 864.0)
    result = command("train", "horses", "zebras", "--preset", "tiny", *TINY[2:])
    assert "4 steps at 864 s: 57 min 36 s on this CPU, until" in result.stderr
    monkeypatch.setattr("cyclegan.training.speed.measured_seconds_per_step", lambda _: 86400.0)
    result = command("train", "horses", "zebras", "--name", "slow", *TINY)
    assert re.search(r": 4 days on this CPU, until \d{4}-\d\d-\d\d\. `--hours 3` makes the best", result.stderr)


def test_a_slow_training_shows_its_first_step(capsys):
    from types import SimpleNamespace

    from cyclegan.cli.display import TrainingDisplay

    seconds = count(step=25)
    display = TrainingDisplay(live=False, clock=lambda: next(seconds) // 3)
    for step in range(1, 21):
        info = SimpleNamespace(step=step, total_steps=90, epoch=1, total_epochs=4, metrics=None, last=False)
        display(SimpleNamespace(plan=None), info)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "epoch 1/4 · step 1/90"
    assert 2 <= len(printed) < 10


def test_the_time_left_is_that_of_the_plan_where_there_is_one(capsys):
    from types import SimpleNamespace

    from cyclegan.cli.display import TrainingDisplay
    from cyclegan.training.time_plan import TimePlan

    plan, seconds = TimePlan(3600, decay_share=0.5), count(step=1000)  # much slower so far than the plan expects
    display = TrainingDisplay(live=False, clock=lambda: next(seconds))
    for step, plan.used in ((1, 0.0), (2, 1790.0)):
        info = SimpleNamespace(step=step, total_steps=90, epoch=1, total_epochs=4, metrics=None, last=False)
        display(SimpleNamespace(plan=plan), info)
    assert capsys.readouterr().err.splitlines()[-1] == "epoch 1/4 · step 2/90 · 30 min 00 s left"
