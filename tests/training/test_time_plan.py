"""A run fits itself to its time, and its steps stay repeatable between two plans."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run, locked
from cyclegan.checkpoints.states import latest_step, load_state
from cyclegan.config import build_config
from cyclegan.training import Stopwatch, TrainResult, check_continuation, load_inputs, train_locked
from cyclegan.training.distributed import SINGLE_PROCESS
from cyclegan.training.time_plan import TimeKeeper, TimePlan
from tests.support.runs import contents, tiny_settings

HOURS = 100 / 3600  # of which 5 seconds are left for the end


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "checkpoints" / "run")


def train_timed(  # noqa: PLR0913 (each has a default)
    run: Run, folders, seconds_of_step=2.0, *, hours: float = HOURS, startup: float = 0, stop: int | None = None
) -> TrainResult:
    """Train a tiny run of some hours with steps of a given time, after a startup of some seconds, up to a step."""
    timed = {"schedule": {"hours": hours, "epochs": 1, "decay_epochs": 1, "max_steps": "none"}}
    config = build_config(*tiny_settings(folders, 4), timed)
    check_continuation(config, run)
    clock, steps = Clock(), count(latest_step(run) + 1)

    def end_step() -> bool:
        step = next(steps)
        clock.now += seconds_of_step(step) if callable(seconds_of_step) else seconds_of_step
        return step == stop

    with locked(run):
        inputs = replace(load_inputs(config, run), stopwatch=Stopwatch(clock))
        clock.now = startup
        return train_locked(inputs, interrupted=end_step)


def rates(run: Run) -> list[float]:
    """Return the learning rates of a run's lines, as shares of the full one."""
    return [line["learning_rate"] / 2e-4 for line in read_metrics(run)]


def test_the_rate_falls_in_the_decaying_share():
    plan = TimePlan(seconds=100, decay_share=0.5, total_steps=100)
    factors = [plan.learning_rate_factor(step) for step in (0, 50, 75, 99)]
    assert factors == pytest.approx([1, 1, 0.5, 0.02])
    assert TimePlan(seconds=100, decay_share=0, total_steps=10).learning_rate_factor(9) == 1


def test_a_steady_run_ends_on_time_with_a_finished_decay(run: Run, folders):
    result = train_timed(run, folders)
    assert result.finished
    assert 90 <= result.step * 2 <= 96
    assert rates(run)[0] == 1
    assert rates(run)[-1] < 0.1


@pytest.mark.parametrize(("before", "after"), [(1.0, 3.0), (3.0, 1.0)])
@pytest.mark.parametrize("changed_at", [10, 25, 40])
def test_a_change_of_speed_moves_the_end_in_steps(run: Run, folders, before, after, changed_at):
    times = []

    def seconds(step: int) -> float:
        times.append(before if step < changed_at else after)
        return times[-1]

    assert train_timed(run, folders, seconds).finished
    assert 83 <= sum(times) <= 105  # a line has four steps, up to 12 s
    assert rates(run)[-1] < 0.2
    assert rates(run) == sorted(rates(run), reverse=True) or before > after


def test_the_time_before_the_first_step_counts(run: Run, folders):
    assert train_timed(run, folders, startup=40).step * 2 <= 56


def test_an_interruption_costs_only_the_time_at_work(run: Run, folders):
    stopped = train_timed(run, folders, stop=20)
    assert (stopped.step, stopped.finished) == (20, False)
    used = load_state(run)[1]["plan"]["used"]
    assert used == 40
    result = train_timed(run, folders, startup=10)
    assert result.finished
    assert 80 <= result.step * 2 <= 86
    assert rates(run)[-1] < 0.1


def test_a_finished_run_stays_finished_and_more_hours_continue_it(run: Run, folders):
    first = train_timed(run, folders)
    assert train_timed(run, folders).steps_done == 0
    longer = train_timed(run, folders, hours=2 * HOURS)
    assert longer.finished
    assert longer.step > 1.8 * first.step
    assert any("learning rate rises" in note for note in longer.notes)


def test_while_the_plan_holds_a_continuation_repeats_every_step(run: Run, folders, tmp_path):
    """Both runs know their speed from the first line on; the interruption takes no time and falls on no line."""
    whole = Run(tmp_path / "whole")
    train_timed(whole, folders)
    train_timed(run, folders, stop=22)
    train_timed(run, folders)
    expected, broken = contents(whole), contents(run)
    for facts in (expected["facts"], broken["facts"]):
        facts["plan"] = {key: value for key, value in facts["plan"].items() if not key.startswith("used")}
    assert broken == expected


def test_a_run_of_epochs_may_continue_by_the_clock(run: Run, folders):
    config = build_config(*tiny_settings(folders, 6))
    with locked(run):
        train_locked(load_inputs(config, run))
    result = train_timed(run, folders)
    assert result.finished
    assert 45 <= result.step - 6 <= 48


def test_a_plan_within_the_tolerance_stays():
    clock = Clock()
    plan = TimePlan(seconds=1000, decay_share=0.5, total_steps=990)
    keeper = TimeKeeper(plan, Stopwatch(clock), 0)
    for step, now, total in ((100, 100.0, 990), (200, 210.0, 909)):
        clock.now = now
        plan.update_used_time(keeper.stopwatch)
        keeper.revise(step, SINGLE_PROCESS)
        assert plan.total_steps == total


def test_a_plan_does_not_depend_on_the_time_of_day(run: Run, folders, tmp_path: Path, monkeypatch):
    undisturbed = Run(tmp_path / "undisturbed")
    train_timed(undisturbed, folders)
    jumps = count()
    monkeypatch.setattr("time.time", lambda: 86_400.0 * (-1) ** next(jumps) * 365)
    train_timed(run, folders)
    assert rates(run) == rates(undisturbed)
