"""The training loop: from the state of a run to its last step, with callbacks after every step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cyclegan.checkpoints.model_file import save_model
from cyclegan.checkpoints.records import delete_old_held_out, delete_records_after
from cyclegan.checkpoints.run import Run, require_run
from cyclegan.checkpoints.states import has_state, load_state
from cyclegan.config import save_config
from cyclegan.data.loader import batches
from cyclegan.devices import cuda_side_stream, memory_errors
from cyclegan.errors import TrainingDivergedError, printable
from cyclegan.images import Images, scaled_on
from cyclegan.training.build import TRAINING_MEMORY_HINT, build_state
from cyclegan.training.callbacks import MetricsFile, SampleGrids, StateSaver, TensorBoard, save_models
from cyclegan.training.concurrency import process_shared_with_other_trainings
from cyclegan.training.continuing import rise_notes
from cyclegan.training.diagnose import Diagnose
from cyclegan.training.distributed import Ranks
from cyclegan.training.inputs import Callback, StepInfo, TrainInputs
from cyclegan.training.schedule import scheduled_rate
from cyclegan.training.state import RunningMeans, TrainState, select_rank
from cyclegan.training.step_runner import Log, step_runner
from cyclegan.training.time_plan import TimeKeeper, TimePlan
from cyclegan.training.validation import Validator

RECOVERY_FACTOR = 0.5  # of the learning rate, after each recovery from gradients that were not finite


@dataclass(frozen=True)
class TrainResult:
    """How a training ended."""

    run: Run
    ranks: Ranks
    step: int
    total_steps: int
    steps_done: int  # by this process
    seconds: float  # from the first of them to the last
    notes: tuple[str, ...] = ()  # what the user should know about the continuation
    plateau: int = 0  # the epoch of the best validation, if a plateau ended training; else 0

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or as many as a plateau leaves."""
        return self.step >= self.total_steps or self.plateau > 0


def train(
    inputs: TrainInputs,
    *,
    callbacks: Sequence[Callback] = (),
    interrupted: Callable[[], bool] = lambda: False,
    log: Log = lambda _: None,
) -> TrainResult:
    """Train from the state of the run to the end, or until `interrupted()`; everything is saved either way.

    The run's folder must be locked by this process (`checkpoints.run.locked`). `log` gets messages about
    compilation. Of several ranks each trains; the first validates, diagnoses and writes for all.
    """
    with process_shared_with_other_trainings(inputs), inputs.ranks.errors(), cuda_side_stream(inputs.device):
        return training_loop(inputs, callbacks, interrupted, log)


def training_loop(
    inputs: TrainInputs, callbacks: Sequence[Callback], interrupted: Callable[[], bool], log: Log
) -> TrainResult:
    """Do what `train` says, within its context managers."""
    ranks = inputs.ranks
    if ranks.is_first:
        write_settings(inputs)
    with memory_errors(inputs.device, TRAINING_MEMORY_HINT):
        state, fabric = build_state(inputs)
    inputs, notes = resume(state, inputs)
    if state.plan:
        state.plan.count(inputs.stopwatch)
    if state.step:
        left = f", with {state.plan.describe_rest()}" if state.plan and state.step < inputs.total_steps else ""
        log(f"Resuming from step {state.step:,}{left}.")
    evaluations, callbacks = all_callbacks(inputs, state, callbacks)
    # Same seed and batch, same pictures and crops: the position in the data is this one number.
    data = batches(
        inputs.domain_a, inputs.domain_b, inputs.config, inputs.batches_before(state.step) + ranks.rank, ranks.count
    )
    run_step = step_runner(state, inputs, fabric, log)

    clock, started_seconds = inputs.stopwatch.clock, round(time.time(), 3)  # tells the lines of two processes apart
    first_step, started = state.step, clock()
    line_step, line_started = first_step, started
    keeper = TimeKeeper(state.plan, inputs.stopwatch, first_step) if state.plan else None
    last = state.step >= inputs.total_steps or plateau_epoch(state, inputs) > 0
    while not last:
        batch = next(data)
        real_a, real_b = to_device(batch.a, inputs, state), to_device(batch.b, inputs, state)
        rate = learning_rate(state, inputs)
        with memory_errors(inputs.device, TRAINING_MEMORY_HINT):
            numbers = run_step(real_a, real_b, rate, batch.is_pair)
        state.means.add(numbers)  # stays on the device; nothing waits for it here
        state.step += 1
        stopped, logged = ranks.any(interrupted()), inputs.is_logged(state.step)
        if keeper:
            keeper.after_step(state.step, ranks, logged=logged)
        last = stopped or state.step >= inputs.total_steps

        metrics, diverged = None, None
        if logged:
            now = clock()
            steps_per_second = (state.step - line_step) / (now - line_started)
            metrics = metrics_line(state, inputs, rate, steps_per_second, now - started)
            metrics["started_seconds"] = started_seconds
            line_step, line_started = state.step, now
            # The first rank validates and diagnoses for all; every rank then acts on the same line.
            metrics = ranks.broadcast(evaluated(metrics, state, inputs, evaluations))
            diverged = recover_or_end(state, metrics, stop_on_diagnosis=inputs.config.schedule.stop_on_diagnosis)
            last = last or diverged is not None or ranks.any(plateau_epoch(state, inputs) > 0)

        epoch = inputs.epoch(state.step - 1)
        info = StepInfo(state.step, inputs.total_steps, epoch, inputs.epochs, metrics, last)
        for callback in callbacks:  # write metrics, draw samples, show progress, save
            callback(state, info)
        if diverged and ranks.is_first:
            raise diverged
    seconds, done = clock() - started, state.step - first_step
    return TrainResult(
        run=inputs.run,
        ranks=ranks,
        step=state.step,
        total_steps=inputs.total_steps,
        steps_done=done,
        seconds=seconds,
        notes=tuple(notes),
        plateau=plateau_epoch(state, inputs),
    )


Evaluate = Callable[[TrainState, dict[str, Any]], dict[str, Any]]  # adds numbers to a line of the metrics


def all_callbacks(
    inputs: TrainInputs, state: TrainState, callbacks: Sequence[Callback]
) -> tuple[list[Evaluate], list[Callback]]:
    """Return the evaluations of each line of the metrics, and the callbacks in their order; saving comes last."""
    saver = StateSaver(inputs, inputs.stopwatch.clock)
    if not inputs.ranks.is_first:
        return [], [saver]
    board: list[Callback] = [TensorBoard(inputs.run, state.step)] if inputs.config.logging.tensorboard else []
    return [Validator(inputs), Diagnose(inputs)], [
        MetricsFile(inputs.run),
        SampleGrids(inputs),
        *board,
        *callbacks,
        saver,
    ]


def to_device(batch: Any, inputs: TrainInputs, state: TrainState) -> Images:
    """Return a uint8 batch as images of [-1, 1] on the device, in the memory format of the networks."""
    return scaled_on(batch, inputs.device).contiguous(memory_format=state.memory_format)


def write_settings(inputs: TrainInputs) -> None:
    """Write the settings of a run, and its copy of the teacher."""
    save_config(inputs.config, inputs.run.config)
    if inputs.teacher and not has_state(inputs.run):
        save_model(inputs.run.teacher, inputs.teacher.info, inputs.teacher.weights)


def resume(state: TrainState, inputs: TrainInputs) -> tuple[TrainInputs, list[str]]:
    """Load the newest saved state, if there is one, and delete the records of later steps.

    Return the inputs with the batches that were taken before, and notes for the user.
    """
    ranks, saved = inputs.ranks, load_state(inputs.run)
    if saved is None:
        if ranks.is_first:
            delete_records_after(inputs.run, 0)
        return inputs, []
    tensors, facts, notes = saved
    state.load_state_dict(select_rank(ranks.rank, tensors, state.state_dict()[0]), facts)
    if state.plan and (plan := facts.get("plan")):
        before, after = TimePlan(**plan).learning_rate_factor(state.step - 1), learning_rate(state, inputs)
        notes += rise_notes(before * inputs.full_learning_rate, after)
    ranks_before = facts.get("ranks", 1)
    batch_offset = facts.get("batch_offset", 0) + state.step * (ranks_before - ranks.count)
    inputs = replace(inputs, batch_offset=batch_offset)
    if ranks.is_first:
        save_models(inputs, state)  # a kill between a state and its models leaves older ones
        delete_records_after(inputs.run, state.step)
        delete_old_held_out(inputs.run)
    if ranks_before != ranks.count:
        notes.append(
            f"the last save is of {ranks_before} devices and training continues on {ranks.count}: every picture still "
            "comes when it is due, but steps have another number of samples, and past fakes and random states are not "
            "those that were saved, so this continuation is not exact."
        )
    notes += [
        f"the pictures of {printable(domain.name)} are not those of the last save, so this continuation is not exact."
        for domain, before, now in zip(
            (inputs.domain_a, inputs.domain_b), facts["pictures"], inputs.fingerprints, strict=True
        )
        if now != before
    ]
    return inputs, notes


def learning_rate(state: TrainState, inputs: TrainInputs) -> float:
    """Return the learning rate of the next step."""
    schedule, full = inputs.config.schedule, inputs.full_learning_rate
    if state.plan:
        rate = min(full * state.plan.learning_rate_factor(state.step), schedule.max_learning_rate)
    else:
        rate = scheduled_rate(schedule, full, inputs.epoch(state.step) - 1)
    return rate * RECOVERY_FACTOR**state.recoveries


def plateau_epoch(state: TrainState, inputs: TrainInputs) -> int:
    """Return the epoch of the best validation if a plateau ends the run; else 0."""
    schedule, best = inputs.config.schedule, state.best
    return best.least_epoch if schedule.stop_on_plateau and best and best.since >= schedule.plateau_patience else 0


def metrics_line(
    state: TrainState, inputs: TrainInputs, rate: float, steps_per_second: float, elapsed_seconds: float
) -> dict[str, Any]:
    """Return the means of losses and measures since the last line, and start new ones."""
    means = state.means.means(inputs.ranks)
    state.means = RunningMeans()
    samples_per_step = inputs.config.training.batch_size * inputs.ranks.count
    return {
        "step": state.step,
        "epoch": inputs.epoch(state.step - 1),
        "learning_rate": rate,
        "recoveries": state.recoveries,
        **({"planned_steps": state.plan.total_steps} if state.plan else {}),
        **means,
        "samples_per_second": round(samples_per_step * steps_per_second, 3),
        "elapsed_seconds": round(elapsed_seconds, 3),
    }


def evaluated(
    metrics: dict[str, Any], state: TrainState, inputs: TrainInputs, evaluations: Sequence[Evaluate]
) -> dict[str, Any]:
    """Return a line of the metrics with the numbers of validation and diagnostics."""
    if inputs.ranks.is_first:
        require_run(inputs.run)
    for evaluate in evaluations:
        metrics = evaluate(state, metrics)
    return metrics


def recover_or_end(
    state: TrainState, metrics: dict[str, Any], *, stop_on_diagnosis: bool
) -> TrainingDivergedError | None:
    """Recover from steps that were not finite, the first time; return the error that ends the training, if any."""
    stops = [finding for finding in metrics["health"]["findings"] if finding["verdict"] == "stop"]
    if metrics["skipped_steps"]:
        state.recover()
    for finding in stops:
        if finding["name"] == "not_finite":
            return TrainingDivergedError(f"training diverged: {finding['reason']}", finding["suggestion"])
    if stops and stop_on_diagnosis:
        reason, suggestion = stops[0]["reason"], stops[0]["suggestion"]
        return TrainingDivergedError(f"training ends, as schedule.stop_on_diagnosis asks: {reason}", suggestion)
    return None
