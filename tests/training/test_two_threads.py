"""The two halves of a step in one thread each."""

import time

import pytest
import torch

from cyclegan.checkpoints.run import Run
from cyclegan.training import build
from cyclegan.training.two_threads import SingleThread, TwoThreads
from tests.support.runs import contents, train_run


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.usefixtures("two_operator_threads")
def test_two_threads_train_as_one_does(folders, tmp_path, monkeypatch, precision):
    run, made = Run(tmp_path / "two"), []
    monkeypatch.setattr(build, "TwoThreads", lambda: made.append(TwoThreads) or TwoThreads())
    settings = {"generator": {"dropout": False}, "training": {"precision": precision}}
    train_run(run, folders, 6, settings)
    other = Run(tmp_path / "single")
    train_run(other, folders, 6, settings, {"machine": {"threads": 1}})
    assert made == [TwoThreads]
    # Not the metrics: what is measured between steps is computed by two threads in one of the runs.
    assert all(contents(run)[part] == contents(other)[part] for part in ("facts", "state", "models"))


@pytest.mark.parametrize(
    "settings",
    [{"machine": {"two_threads": False}}, {"machine": {"threads": 1}}, {"generator": {"dropout": True}}],
)
@pytest.mark.usefixtures("two_operator_threads")
def test_one_thread_computes_both_halves(folders, tmp_path, monkeypatch, settings):
    monkeypatch.setattr(build, "TwoThreads", None)
    train_run(Run(tmp_path / "run"), folders, 1, {"generator": {"dropout": False}}, settings)


@pytest.mark.parametrize("threads", [SingleThread, TwoThreads])
@pytest.mark.usefixtures("two_operator_threads")
def test_halves_return_their_own_results(threads):
    threads = threads()
    assert threads.run(lambda: threads.both(lambda: "a", lambda: "b")) == ("a", "b")


@pytest.mark.usefixtures("two_operator_threads")
def test_an_error_of_one_half_waits_for_the_other():
    threads, done = TwoThreads(), []

    def fails() -> None:
        raise ValueError("the first half")

    def slow() -> None:
        time.sleep(0.2)
        done.append(True)

    with pytest.raises(ValueError, match="the first half"):
        threads.run(lambda: threads.both(fails, slow))
    assert done


@pytest.mark.usefixtures("two_operator_threads")
def test_each_thread_has_half_of_the_operator_threads():
    threads = TwoThreads()
    assert threads.run(lambda: threads.both(torch.get_num_threads, torch.get_num_threads)) == (1, 1)
    assert torch.get_num_threads() == 2
