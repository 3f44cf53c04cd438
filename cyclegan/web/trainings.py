"""Trainings that the page starts, stops and continues: each is `cyclegan train` in a process of its own.

The page holds nothing of them: a training outlives it, and is found again by its run's folder.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Lock, Thread

import psutil

from cyclegan.atomic import is_file_name
from cyclegan.checkpoints.process import TRAIN_COMMAND, is_train_command, name_option, training_process
from cyclegan.checkpoints.records import last_log_lines
from cyclegan.checkpoints.run import Run, can_start, record_process
from cyclegan.checkpoints.states import has_state, latest_step
from cyclegan.config import build_config, preset
from cyclegan.data.overlap import check_folders_apart
from cyclegan.errors import RunError, UsageError, disk_errors
from cyclegan.text import printable
from cyclegan.web.catalogue import Catalogue
from cyclegan.web.data_folders import folder_contents

STOP_SECONDS = 20.0  # for which the page waits until a training has saved
ERROR_START = "cyclegan: "  # of the message that a failed program ends with
KILLED = "It ended without a message: it was killed, for want of memory perhaps, or the machine was switched off."


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """The choices that a user made on the page."""

    folder_a: Path
    folder_b: Path
    preset: str = "default"
    hours: float = 1.0
    name: str = ""  # empty: after both folders


@dataclass(frozen=True)
class TrainingStatus:
    """The state of a training: of one that the page started, and of any other while it runs."""

    state: str  # training, finished, stopped, failed; empty where nothing is known
    message: str = ""  # while it trains, only until there are new metrics
    can_stop: bool = False
    can_continue: bool = False


def training_status(run: Run) -> TrainingStatus:
    """Return the state of a training, as its process and the last line of its log say."""
    process = training_process(run)
    last = (last_log_lines(run, 1) or [""])[0]  # read after the process: it may end in between
    if process:
        with suppress(psutil.Error):
            is_own = is_train_command(process, run)
            has_news = run.metrics.exists() and run.metrics.stat().st_mtime > process.create_time()
            message = "" if has_news or not is_own else last or "It is starting."
            return TrainingStatus("training", message, can_stop=is_own)
    if not run.log.exists():
        return TrainingStatus("")
    result, step, can_continue = train_result(last), latest_step(run), run.config.is_file()
    if result and result["finished"]:
        return TrainingStatus("finished", f"Step {step:,} was the last.")
    saved = f"Everything is saved at step {step:,}." if step else "Nothing was trained yet."
    if result:
        return TrainingStatus("stopped", saved, can_continue=can_continue)
    message = last if last.startswith(ERROR_START) else f"{KILLED} {saved}"
    return TrainingStatus("failed", message, can_continue=can_continue)


def train_result(line: str) -> dict[str, object] | None:
    """Return the result that `cyclegan train --json` prints when it has finished or was stopped; None if it is none."""
    with suppress(ValueError, RecursionError):
        result = json.loads(line)
        if isinstance(result, dict) and isinstance(result.get("finished"), bool):
            return result
    return None


class Trainings:
    """The trainings under one folder of runs, of which one runs at a time."""

    def __init__(self, catalogue: Catalogue, device: str) -> None:
        self.catalogue = catalogue
        self.device = device
        self.starting = Lock()  # two clicks start one training

    def start(self, request: TrainRequest) -> Run:
        """Start a new run in a process of its own; raise an error if there is a training already."""
        data = {"folder_a": str(request.folder_a), "folder_b": str(request.folder_b)}
        config = build_config(preset(request.preset), {"data": data, "schedule": {"hours": request.hours}})
        check_folders_apart(config.data)
        for folder in (request.folder_a, request.folder_b):
            folder_contents(folder).require_pictures()
        with self.starting:
            self.check_none_runs()
            run = self.new_run(request)
            folders = [str(request.folder_a), str(request.folder_b)]
            self.launch(run, ["--preset", request.preset, "--hours", str(request.hours), "--", *folders])
        return run

    def resume(self, run: Run) -> None:
        """Continue a run with its own settings."""
        with self.starting:
            self.check_none_runs()
            if not run.config.is_file():
                raise RunError(f"{printable(run.name)} has no settings yet.", "Start it again on the tab Train.")
            self.launch(run, ["--config", str(run.config.absolute())])

    def stop(self, run: Run) -> bool:
        """Ask a training to save and end; return whether it has ended within `STOP_SECONDS`."""
        process = training_process(run)
        if process is None:
            return True
        if not is_train_command(process, run):
            raise RunError(f"{printable(run.name)} is trained by another program.", "Stop it there.")
        with suppress(psutil.NoSuchProcess):
            process.terminate()  # on Windows at once, without saving
        end = Thread(target=note_end, args=(run, process), daemon=True)
        end.start()
        end.join(STOP_SECONDS)
        return not end.is_alive()

    def check_none_runs(self) -> None:
        """Raise an error if a run is being trained."""
        for name, run in self.catalogue.runs().items():
            if training_process(run):
                raise RunError(
                    f"{name} is being trained, and this machine trains one run at a time.",
                    "Wait until it ends, or stop it on the tab Watch.",
                )

    def new_run(self, request: TrainRequest) -> Run:
        """Return the run of this name; without one, the first free one that is named after the folders."""
        if request.name:
            if not is_file_name(request.name):
                raise UsageError(f"{printable(request.name)} cannot be a run's name.", "Choose one without slashes.")
            run = Run(self.catalogue.checkpoints / request.name)
            if not is_free(run):
                raise RunError(
                    f"there is a run {printable(request.name)} already.",
                    "Choose another name, or continue that one on the tab Watch.",
                )
            return run
        name = f"{request.folder_a.name}2{request.folder_b.name}"
        names = (name if number == 1 else f"{name}-{number}" for number in count(1))
        return next(run for run in (Run(self.catalogue.checkpoints / name) for name in names) if is_free(run))

    def launch(self, run: Run, arguments: Sequence[str]) -> None:
        """Start `cyclegan train` in a session of its own, which neither Ctrl-C nor the end of this process reaches."""
        options = ["--checkpoints", str(run.folder.parent.absolute()), name_option(run)]
        options += ["--device", self.device, "--progress", "plain", "--json"]
        with disk_errors(run.log):
            run.states.mkdir(parents=True, exist_ok=True)
            run.log.write_text("", encoding="utf-8")
            with run.log.open("a", encoding="utf-8") as log:
                process = subprocess.Popen(
                    [sys.executable, *TRAIN_COMMAND, *options, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    creationflags=getattr(subprocess, "DETACHED_PROCESS", 0),  # the same on Windows
                )
            record_process(run, process.pid)
        Thread(target=process.wait, daemon=True).start()  # else a dead child would stay as a zombie


def note_end(run: Run, process: psutil.Process) -> None:
    """Wait for the end of a training that is to stop; write into its log that it has, if it could not say so itself."""
    with suppress(psutil.Error):
        process.wait()
    last = (last_log_lines(run, 1) or [""])[0]
    if run.log.exists() and train_result(last) is None and not last.startswith(ERROR_START):
        with run.log.open("a", encoding="utf-8") as log:
            log.write('{"finished": false}\n')


def is_free(run: Run) -> bool:
    """Tell whether a run can begin in this folder, and nothing is lost by it."""
    return not run.folder.exists() or (not has_state(run) and can_start(run))
