"""One call that trains a run: it locks the folder, loads the data, continues or starts, and writes the report."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from cyclegan.checkpoints.run import Run, locked, set_aside
from cyclegan.checkpoints.states import has_state
from cyclegan.config import Config
from cyclegan.data.domains import load_domain
from cyclegan.data.overlap import check_folders_apart
from cyclegan.data.samples import find_pairs, unlike_shapes_note
from cyclegan.devices import choose_device, uses_bf16
from cyclegan.errors import TrainingDivergedError, require_extra
from cyclegan.reports import write_report
from cyclegan.text import printable
from cyclegan.training.continuing import check_continuation, check_moved_pictures, continuation_notes, with_saved_names
from cyclegan.training.distillation import load_teacher
from cyclegan.training.distributed import Ranks
from cyclegan.training.fabric import join_ranks, with_device_count
from cyclegan.training.initial_weights import initial_weights
from cyclegan.training.inputs import Callback, Log, TrainInputs
from cyclegan.training.loop import TrainResult, train_locked
from cyclegan.training.time_plan import TimePlan
from cyclegan.training.timing import Stopwatch


def train_run(  # noqa: PLR0913 (each has a default)
    config: Config,
    folder: Path | str,
    *,
    fresh: bool = False,
    callbacks: Sequence[Callback] = (),
    interrupted: Callable[[], bool] = lambda: False,
    log: Log = lambda _: None,
    on_picture: Callable[[], object] = lambda: None,
    on_inputs: Callable[[TrainInputs], object] = lambda _: None,
    ranks: Ranks | None = None,
    stopwatch: Stopwatch | None = None,
) -> TrainResult:
    """Train a run in `folder`, or continue it; return how it ended.

    `fresh` moves an old run aside. `callbacks` are called with the state and a `StepInfo` after every step.
    `interrupted` is called after every step; if it returns true, everything is saved and training ends. `log` gets
    messages for the user. `on_picture` is called for every picture read, and `on_inputs` before the first step.
    With `schedule.hours` the time counts from the start of `stopwatch`, by default that of this call.
    Raises `CycleganError` with a message and a hint for everything that the user can fix.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it announces itself
    stopwatch = stopwatch or Stopwatch()
    target, config = Run(Path(folder)), with_device_count(config)
    ranks = ranks or join_ranks(config)
    tell = log if ranks.is_first else lambda _: None
    with ExitStack() as stack:
        if not fresh:
            with ranks.barrier():
                if ranks.is_first:
                    check_continuation(config, target)
                    stack.enter_context(locked(target))
        with ranks.barrier():
            loaded = load_inputs(config, target, on_picture=on_picture, fresh=fresh)
            inputs = replace(loaded, ranks=ranks, stopwatch=stopwatch)
        on_inputs(inputs)
        if fresh:
            with ranks.barrier():
                if ranks.is_first:
                    if aside := set_aside(target):
                        tell(f"The old run is now {printable(aside)}.")
                    stack.enter_context(locked(target))
        elif has_state(target):
            for note in continuation_notes(inputs):
                tell(note)
        return train_and_report(inputs, callbacks, interrupted, tell)


def train_and_report(
    inputs: TrainInputs, callbacks: Sequence[Callback], interrupted: Callable[[], bool], log: Log
) -> TrainResult:
    """Train, and write the report, also where training diverged."""
    try:
        result = train_locked(inputs, callbacks=callbacks, interrupted=interrupted, log=log)
    except TrainingDivergedError:
        write_report(inputs.run)
        raise
    if inputs.ranks.is_first:
        write_report(inputs.run)
    return result


def load_inputs(
    config: Config, run: Run, *, on_picture: Callable[[], object] = lambda: None, fresh: bool = False
) -> TrainInputs:
    """Load the pictures, the teacher and the initial weights, and choose the device; nothing is written in the run.

    The model to start from is read only for a new run, or a `fresh` one: to continue, the state and the run's copy of
    the teacher are enough.
    """
    if config.logging.tensorboard:
        require_extra("tensorboard", "tensorboard")
    device = choose_device(config.machine.device)
    if config.machine.threads != "auto":
        torch.set_num_threads(config.machine.threads)
    new = fresh or not has_state(run)
    config = config if new else with_saved_names(config, run)
    check_folders_apart(config.data)
    teacher = load_teacher(config, run, new=new)
    # Resized pictures that do not fit into memory go to a disk that has room for the run as well.
    scratch = run.folder.parent if run.folder.parent.is_dir() else Path(tempfile.gettempdir())
    inputs = TrainInputs(
        config=config,
        run=run,
        domain_a=load_domain(config, "a", scratch=scratch, on_picture=on_picture),
        domain_b=load_domain(config, "b", scratch=scratch, on_picture=on_picture),
        device=device,
        precision="bf16" if uses_bf16(config.training.precision, device) else "fp32",
        initial_weights=initial_weights(config, teacher) if new else {},
        teacher=teacher,
        plan=TimePlan.from_hours(hours, config.decay_share) if (hours := config.schedule.hours) != "none" else None,
    )
    if config.data.paired:
        pairing = find_pairs(inputs.domain_a, inputs.domain_b)
        inputs.domain_b.notes.extend(unlike_shapes_note(inputs.domain_a, inputs.domain_b, pairing))
    if not new:
        check_moved_pictures(inputs)
    return inputs
