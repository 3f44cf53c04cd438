"""The training loop: from the state of a run to its last step, with callbacks after every step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cyclegan.checkpoints.model_file import save_model
from cyclegan.checkpoints.run import Run, require_run
from cyclegan.checkpoints.states import has_state
from cyclegan.config import save_config
from cyclegan.data.loader import batches
from cyclegan.devices import cuda_side_stream, memory_errors
from cyclegan.directions import DirectionName
from cyclegan.errors import TrainingDivergedError
from cyclegan.images import Images, PixelValues, scaled_on
from cyclegan.training.build import TRAINING_MEMORY_HINT, build_state
from cyclegan.training.callbacks import MetricsFile, SampleGrids, StateSaver, TensorBoard
from cyclegan.training.concurrency import process_shared_with_other_trainings
from cyclegan.training.continuing import resume
from cyclegan.training.diagnose import Diagnose
from cyclegan.training.distributed import Ranks
from cyclegan.training.inputs import Callback, Log, StepInfo, TrainInputs
from cyclegan.training.running_means import RunningMeans
from cyclegan.training.state import TrainState
from cyclegan.training.step_runner import step_runner
from cyclegan.training.time_plan import TimeKeeper
from cyclegan.training.timing import StepTimer
from cyclegan.training.validation import Validator, is_plateau, last_better_epoch

Evaluate = Callable[[TrainState, dict[str, Any]], dict[str, Any]]  # adds numbers to a line of the metrics


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
    plateau_epoch: int = 0  # in which a direction got better last, if a plateau ended training; else 0
    best_steps: dict[DirectionName, int] = field(default_factory=dict)  # where there is validation

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or as many as a plateau leaves."""
        return self.step >= self.total_steps or self.plateau_epoch > 0


def train_locked(
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
    """Do what `train_locked` says, within its context managers.

    Each step: a batch, the learning rate, the step itself; where a line of the metrics ends, validation and diagnosis;
    then the callbacks, of which the last saves.
    """
    ranks = inputs.ranks
    if ranks.is_first:
        write_settings(inputs)
    with memory_errors(inputs.device, TRAINING_MEMORY_HINT):
        state, fabric = build_state(inputs)
    inputs, notes = resume(state, inputs, log)
    evaluations, callbacks = build_callbacks(inputs, state, callbacks)
    # Same seed and batch, same pictures and crops: the position in the data is this one number.
    position = inputs.batches_before(state.step) + ranks.rank
    data = batches(inputs.domain_a, inputs.domain_b, inputs.config, position, ranks.count)
    run_step = step_runner(state, inputs, fabric, log)
    timer = StepTimer(inputs.stopwatch, state.step)
    keeper = TimeKeeper(state.plan, inputs.stopwatch, state.step) if state.plan else None

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
            metrics = metrics_line(state, inputs, rate, timer)
            # The first rank validates and diagnoses for all; every rank then acts on the same line.
            metrics = ranks.broadcast(with_evaluations(metrics, state, inputs, evaluations))
            if metrics["skipped_steps"]:
                state.recover()
            diverged = stopping_error(metrics, stop_on_diagnosis=inputs.config.schedule.stop_on_diagnosis)
            last = last or diverged is not None or ranks.any(plateau_epoch(state, inputs) > 0)

        epoch = inputs.epoch(state.step - 1)
        info = StepInfo(state.step, inputs.total_steps, epoch, inputs.epochs, metrics, last)
        for callback in callbacks:  # write metrics, draw samples, show progress, save
            callback(state, info)
        if diverged and ranks.is_first:  # the others end quietly: one message is enough
            raise diverged
    return train_result(state, inputs, timer, notes)


def train_result(state: TrainState, inputs: TrainInputs, timer: StepTimer, notes: Sequence[str]) -> TrainResult:
    """Return how this process's part of the training ended."""
    return TrainResult(
        run=inputs.run,
        ranks=inputs.ranks,
        step=state.step,
        total_steps=inputs.total_steps,
        steps_done=state.step - timer.first_step,
        seconds=timer.seconds,
        notes=tuple(notes),
        plateau_epoch=plateau_epoch(state, inputs),
        best_steps={direction: best.step for direction, best in state.best.items()},
    )


def build_callbacks(
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


def to_device(batch: PixelValues, inputs: TrainInputs, state: TrainState) -> Images:
    """Return a uint8 batch as images of [-1, 1] on the device, in the memory format of the networks."""
    return scaled_on(batch, inputs.device).contiguous(memory_format=state.memory_format)


def write_settings(inputs: TrainInputs) -> None:
    """Write the settings of a run, and its copy of the teacher."""
    save_config(inputs.config, inputs.run.config)
    if inputs.teacher and not has_state(inputs.run):
        save_model(inputs.run.teacher, inputs.teacher.info, inputs.teacher.weights)


def learning_rate(state: TrainState, inputs: TrainInputs) -> float:
    """Return the learning rate of the next step."""
    return inputs.learning_rate(state.step) * state.learning_rate_factor


def plateau_epoch(state: TrainState, inputs: TrainInputs) -> int:
    """Return the epoch in which a direction got better last, if a plateau ends the run; else 0."""
    schedule = inputs.config.schedule
    ends = schedule.stop_on_plateau and is_plateau(state.best, schedule.plateau_patience)
    return last_better_epoch(state.best) if ends else 0


def metrics_line(state: TrainState, inputs: TrainInputs, rate: float, timer: StepTimer) -> dict[str, Any]:
    """Return the means of losses and measures since the last line, and start new ones."""
    means = state.means.compute(inputs.ranks)
    state.means = RunningMeans()
    return {
        "step": state.step,
        "epoch": inputs.epoch(state.step - 1),
        "learning_rate": rate,
        "recoveries": state.recoveries,
        **({"planned_steps": state.plan.total_steps} if state.plan else {}),
        **means,
        **timer.line(state.step, inputs.config.training.batch_size * inputs.ranks.count),
    }


def with_evaluations(
    metrics: dict[str, Any], state: TrainState, inputs: TrainInputs, evaluations: Sequence[Evaluate]
) -> dict[str, Any]:
    """Return a line of the metrics with the numbers of validation and diagnostics."""
    if inputs.ranks.is_first:
        require_run(inputs.run)
    for evaluate in evaluations:
        metrics = evaluate(state, metrics)
    return metrics


def stopping_error(metrics: dict[str, Any], *, stop_on_diagnosis: bool) -> TrainingDivergedError | None:
    """Return the error that ends the training, if its diagnosis says so."""
    stops = [finding for finding in metrics["health"]["findings"] if finding["verdict"] == "stop"]
    for finding in stops:
        if finding["name"] == "not_finite":
            return TrainingDivergedError(f"training diverged: {finding['reason']}", finding["suggestion"])
    if stops and stop_on_diagnosis:
        reason, suggestion = stops[0]["reason"], stops[0]["suggestion"]
        return TrainingDivergedError(f"training ends, as schedule.stop_on_diagnosis asks: {reason}", suggestion)
    return None
