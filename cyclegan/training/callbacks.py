"""Callbacks that write a run down: metrics, sample grids, states and models."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cyclegan.checkpoints.model_file import ModelInfo, Tensors, save_model
from cyclegan.checkpoints.records import append_metrics, delete_old_held_out
from cyclegan.checkpoints.run import Run, require_run
from cyclegan.checkpoints.states import save_state
from cyclegan.directions import DirectionName
from cyclegan.errors import TrainingDivergedError
from cyclegan.images import read_picture
from cyclegan.training.grids import center_crops, sample_grid, save_grid
from cyclegan.training.inputs import StepInfo, TrainInputs
from cyclegan.training.state import TrainState, merge_ranks, of_one_rank

DIVERGED_HINT = "The last save is kept. Try again with --fresh and a lower optimizer.learning_rate, or in fp32."


class MetricsFile:
    """Appends to metrics.jsonl."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __call__(self, state: TrainState, info: StepInfo) -> None:  # noqa: ARG002
        """Append the line, when one is due."""
        if info.metrics:
            append_metrics(self.run, info.metrics)


class SampleGrids:
    """Draws the same pictures again and again: real | fake | cycled, A's on the left and B's on the right."""

    def __init__(self, inputs: TrainInputs) -> None:
        config = inputs.config
        self.run, self.every = inputs.run, config.logging.samples_every
        crops = [
            center_crops(domain.pictures, config.logging.samples, config.data.size)
            for domain in (inputs.domain_a, inputs.domain_b)
        ]
        self.real_a, self.real_b = (images.to(inputs.device) for images in crops)

    def __call__(self, state: TrainState, info: StepInfo) -> None:
        """Write a grid, when one is due."""
        if info.step % self.every == 0 or info.step == info.total_steps:
            require_run(self.run)
            save_grid(self.run.samples / f"{info.step:09}.png", sample_grid(state, self.real_a, self.real_b))


class StateSaver:
    """Saves state and models every few minutes and at the end."""

    def __init__(self, inputs: TrainInputs, clock: Callable[[], float]) -> None:
        self.inputs = inputs
        self.clock = clock  # seconds, never going back
        self.saved = clock()

    def __call__(self, state: TrainState, info: StepInfo) -> None:
        """Save, when it is time on any rank."""
        minutes = (self.clock() - self.saved) / 60
        if info.last or self.inputs.ranks.any(minutes >= self.inputs.config.logging.save_minutes):
            save(self.inputs, state)
            self.saved = self.clock()


class TensorBoard:
    """Writes numbers and sample grids for TensorBoard into the folder `tensorboard` of the run."""

    def __init__(self, run: Run, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.run = run
        self.writer: Any = SummaryWriter(run.tensorboard, purge_step=step + 1)

    def __call__(self, state: TrainState, info: StepInfo) -> None:  # noqa: ARG002
        """Write the numbers of a line, and a grid that was just drawn."""
        for name, value in (info.metrics or {}).items():
            if isinstance(value, int | float):
                self.writer.add_scalar(name, value, info.step)
        grid = self.run.samples / f"{info.step:09}.png"
        if grid.exists():
            self.writer.add_image("samples", read_picture(grid).pixels, info.step, dataformats="HWC")
        if info.last:
            self.writer.close()


def save(inputs: TrainInputs, state: TrainState) -> None:
    """Save state and models, the first rank for all; weights that are not finite are an error and not saved."""
    tensors, facts = state.state_dict()
    of_ranks = inputs.ranks.gather(of_one_rank(tensors))
    if not inputs.ranks.is_first:
        return
    if not state.is_finite():
        raise TrainingDivergedError("training diverged: weights are no longer finite numbers.", DIVERGED_HINT)
    facts |= {"pictures": inputs.fingerprints, "ranks": inputs.ranks.count, "batch_offset": inputs.batch_offset}
    require_run(inputs.run)
    save_state(inputs.run, state.step, merge_ranks(tensors, of_ranks), facts)
    save_models(inputs, state)
    delete_old_held_out(inputs.run)


def save_models(inputs: TrainInputs, state: TrainState) -> None:
    """Save the model files: the networks of this step, with averaged generators, and the best of each direction."""
    save_networks(inputs, inputs.run.model, dict.fromkeys(("a2b", "b2a"), state.step), state.model_weights())
    if state.best:
        weights: Tensors = {}
        for best in state.best.values():
            weights |= best.weights
        steps = {direction: best.step for direction, best in state.best.items()}
        save_networks(inputs, inputs.run.best, steps, weights)


def save_networks(inputs: TrainInputs, path: Path, steps: Mapping[DirectionName, int], weights: Tensors) -> None:
    """Save a model file of the weights, each direction's after so many steps."""
    data = inputs.config.data
    info = ModelInfo(
        generator=inputs.config.resolved_generator,
        discriminator=inputs.config.discriminator,
        domain_a=data.name_a,
        domain_b=data.name_b,
        channels_a=data.channels_a,
        channels_b=data.channels_b,
        size=data.size,
        short_side=data.short_side,
        remove_checkerboard=True,
        steps=max(steps.values()),
        steps_a2b=steps["a2b"],
        steps_b2a=steps["b2a"],
        averaged=inputs.config.training.ema_decay > 0,
    )
    save_model(path, info, weights)
