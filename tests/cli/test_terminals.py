"""Terminals close, notebooks keep every line, and some programs are started to ignore signals."""

import io
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from cyclegan.cli import _usable, console
from cyclegan.cli.display import TrainingDisplay
from cyclegan.training.launch import handled_signals
from tests.cli.shared import POSIX, TINY
from tests.support.killable import start

if not POSIX:
    pytest.skip("Windows has no such signals and terminals", allow_module_level=True)

STOPPING = ["SIGINT", "SIGTERM", "SIGHUP"]


@pytest.fixture
def ignored(request):
    """Have this process ignore a signal, as one that `nohup` or a shell has started."""
    number = getattr(signal, request.param)
    before = signal.signal(number, signal.SIG_IGN)
    yield number
    signal.signal(number, before)


@pytest.fixture
def restored_signals():
    """Give every signal its default action, as in a terminal, and undo that."""
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in STOPPING}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize("ignored", STOPPING, indirect=True)
def test_a_signal_ignored_at_the_start_stays_ignored(ignored):
    with console.interruptible() as interrupted:
        os.kill(os.getpid(), ignored)
        assert not interrupted()
    assert signal.getsignal(ignored) == signal.SIG_IGN
    assert signal.Signals(ignored).name not in handled_signals()


@pytest.mark.parametrize("name", STOPPING)
def test_other_signals_end_training(restored_signals, name):
    assert name in handled_signals()
    with console.interruptible() as interrupted:
        os.kill(os.getpid(), getattr(signal, name))
        assert interrupted()


def test_only_a_second_ctrl_c_stops_at_once(restored_signals):
    with console.interruptible() as interrupted:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("open_both", [os.pipe, os.openpty])
@pytest.mark.parametrize("buffering", [-1, 0])
def test_output_without_a_reader_is_dropped(open_both, buffering):
    reader, writer = open_both()
    with os.fdopen(writer, "wb", buffering=buffering) as raw, io.TextIOWrapper(raw, encoding="utf-8") as original:
        stream = _usable(original)
        os.close(reader)
        stream.write("a line\n")
        stream.buffer.write(b"a picture")
        stream.flush()


def test_output_is_written_whole(tmp_path: Path):
    with (tmp_path / "out.txt").open("w", encoding="utf-8") as file:
        _usable(file).write("ä line\n" * 100_000)
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "ä line\n" * 100_000


def test_a_training_whose_terminal_closes_is_saved(folders, tmp_path, restored_signals):
    run = tmp_path / "checkpoints" / "run"
    arguments = ["train", *map(str, folders), *map(str, TINY), "--max-steps", "100000"]
    arguments += ["--name", "run", "--checkpoints", str(run.parent)]
    terminal, its_end = os.openpty()
    process = start(arguments, os.ttyname(its_end))
    deadline = time.monotonic() + 120
    shown = b""
    while b"gan_a2b" not in shown and time.monotonic() < deadline:
        shown += os.read(terminal, 65536)
    os.close(terminal)
    process.join(60)
    os.close(its_end)
    assert process.exitcode == 130
    assert len(list((run / "state").glob("step-*"))) == 1


@pytest.mark.parametrize(
    ("environment", "style"),
    [
        ({}, "bar"),
        ({"JPY_PARENT_PID": "1"}, "plain"),
        ({"COLAB_RELEASE_TAG": "x"}, "plain"),
        ({"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, "plain"),
        ({"TERM": "dumb"}, "plain"),
    ],
)
def test_a_bar_needs_a_terminal_that_moves_the_cursor(monkeypatch, environment, style):
    for name in console.NOTEBOOKS:
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm"} | environment).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: True))
    assert console.progress_style("auto") == style
    assert console.progress_style("bar") == "bar"
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: False))
    assert console.progress_style("auto") == "plain"


@pytest.mark.parametrize(
    ("steps_per_second", "hours", "max_lines"), [(30, 300 / 30 / 3600, 10), (2, 8, 600), (0.01, 8, 300)]
)
def test_plain_lines_do_not_flood_a_notebook(monkeypatch, steps_per_second, hours, max_lines):
    printed: list[str] = []
    monkeypatch.setattr("cyclegan.cli.display.tell", printed.append)
    now = 0.0
    steps = round(hours * 3600 * steps_per_second)
    display = TrainingDisplay(live=False, clock=lambda: now)
    for step in range(1, steps + 1):
        now = step / steps_per_second
        line = {"step": step, "gan_a2b": 0.5, "health": {"verdict": "fine", "findings": []}}
        info = SimpleNamespace(step=step, total_steps=steps, epoch=1, total_epochs=1, metrics=line, last=step == steps)
        display(SimpleNamespace(plan=None), info)
    assert 2 <= len(printed) <= max_lines
    assert f"step {1:,}/" in printed[0]
    assert f"step {steps:,}/" in printed[-1]


def test_progress_can_be_left_out(command, folders):
    for style, shown in (("none", False), ("plain", True)):
        result = command("train", "horses", "zebras", *TINY, "--name", style, "--progress", style)
        assert result.returncode == 0
        assert ("step 4/4" in result.stderr) == shown
        assert "domain A" in result.stderr
