"""Observers that write a run down: metrics, sample grids, states and models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cyclegan.atomic import written_whole
from cyclegan.checkpoints.model_file import ModelInfo, save_model
from cyclegan.checkpoints.runs import (
    SAMPLE_GAP,
    Run,
    append_metrics,
    forget_held_out_before_newest,
    require_there,
    save_state,
)
from cyclegan.data.folders import evenly
from cyclegan.errors import GameLostError
from cyclegan.images import Images, Pixels, read_picture, to_images, to_pixels, with_channels
from cyclegan.models import resolved
from cyclegan.training.inputs import Moment, Plan
from cyclegan.training.state import WAYS, Session, Tensors, of_all_ranks, own

LOST = "What was saved before is kept. Try again with --fresh and a lower optimizer.learning_rate, or in fp32."


class MetricsFile:
    """Adds the lines to metrics.jsonl."""

    def __call__(self, moment: Moment) -> None:
        """Write the line, when one is due."""
        if moment.metrics:
            append_metrics(moment.plan.run, moment.metrics)


class SampleGrids:
    """Draws the same pictures again and again: real | fake | cycled, A's on the left and B's on the right."""

    def __init__(self, plan: Plan) -> None:
        count, size = plan.config.logging.samples, plan.config.data.size
        self.real_a = chosen(plan.domain_a.pictures, count, size).to(plan.device)
        self.real_b = chosen(plan.domain_b.pictures, count, size).to(plan.device)

    def __call__(self, moment: Moment) -> None:
        """Write a grid, when one is due."""
        if moment.step % moment.plan.config.logging.samples_every == 0 or moment.step == moment.plan.total_steps:
            require_there(moment.plan.run)
            grid = sample_grid(moment.session, self.real_a, self.real_b)
            save_grid(moment.plan.run.samples / f"{moment.step:09}.png", grid)


class Saver:
    """Saves state and model every few minutes and at the end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock  # seconds, never going back
        self.saved = clock()

    def __call__(self, moment: Moment) -> None:
        """Save, when it is time."""
        minutes = (self.clock() - self.saved) / 60
        if moment.last or moment.plan.ranks.any(minutes >= moment.plan.config.logging.save_minutes):
            save(moment.plan, moment.session)
            self.saved = self.clock()


class TensorBoard:
    """Shows numbers and sample grids in TensorBoard, which reads the folder `tensorboard` of the run."""

    def __init__(self, run: Run, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(run.tensorboard, purge_step=step + 1)

    def __call__(self, moment: Moment) -> None:
        """Send the numbers of a line, and a grid that was just drawn."""
        for name, value in (moment.metrics or {}).items():
            if isinstance(value, int | float):
                self.writer.add_scalar(name, value, moment.step)
        grid = moment.plan.run.samples / f"{moment.step:09}.png"
        if grid.exists():
            self.writer.add_image("samples", read_picture(grid).pixels, moment.step, dataformats="HWC")
        if moment.last:
            self.writer.close()


def save(plan: Plan, session: Session) -> None:
    """Save state and model, the first rank for all; a game that is lost is not saved over one that was not."""
    tensors, facts = session.capture()
    owned = plan.ranks.collected(own(tensors))
    if not plan.ranks.first:
        return
    if not session.is_finite():
        raise GameLostError("the game is lost: weights are no longer finite numbers.", LOST)
    facts |= {"pictures": plan.fingerprints, "ranks": plan.ranks.count, "lead": plan.lead}
    require_there(plan.run)
    save_state(plan.run, session.step, of_all_ranks(tensors, owned), facts)
    save_models(plan, session)
    forget_held_out_before_newest(plan.run)


def save_models(plan: Plan, session: Session) -> None:
    """Save what translate loads: both generators as they are now, averaged if they are, and the best so far."""
    save_networks(plan, plan.run.model, session.step, session.weights())
    if session.best:
        save_networks(plan, plan.run.best, session.best.step, session.best.weights)


def save_networks(plan: Plan, path: Path, steps: int, weights: Tensors) -> None:
    """Save a model file of the weights after so many steps."""
    data = plan.config.data
    info = ModelInfo(
        generator=resolved(plan.config),
        discriminator=plan.config.discriminator,
        domain_a=data.name_a,
        domain_b=data.name_b,
        channels_a=data.channels_a,
        channels_b=data.channels_b,
        size=data.size,
        steps=steps,
        averaged=plan.config.game.averaging > 0,
    )
    save_model(path, info, weights)


def chosen(pictures: list[Pixels], count: int, size: int) -> Images:
    """Return the middle squares of `count` pictures, evenly chosen, as images."""
    return torch.cat([to_images(middle(picture, size)) for picture in evenly(pictures, count)])


def middle(pixels: Pixels, size: int) -> Pixels:
    """Return the square of `size` pixels in the middle."""
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    return pixels[top : top + size, left : left + size]


def shown_pixels(image: Images) -> Pixels:
    """Return an image as a grid shows it: in three channels, grey or not."""
    return with_channels(to_pixels(image[0]), 3)


def sample_grid(session: Session, real_a: Images, real_b: Images) -> Pixels:
    """Return a picture whose rows are real_a, fake_b, cycled_a and, beside them, real_b, fake_a, cycled_b."""
    halves = []
    with session.translating() as generators:
        for (way, back, *_), real in zip(WAYS, (real_a, real_b), strict=True):
            fake = one_by_one(generators[way], real)
            halves.append(triples(real, fake, one_by_one(generators[back], fake)))
    height = max(half.shape[0] for half in halves)
    halves = [np.pad(half, ((0, height - len(half)), (0, 0), (0, 0)), constant_values=255) for half in halves]
    white = np.full((height, SAMPLE_GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([halves[0], white, halves[1]], axis=1)


def one_by_one(network: Any, images: Images) -> Images:
    """Pass images through a network without ever holding more than one in it."""
    return torch.cat([network(image) for image in torch.split(images, 1)])


def triples(real: Images, fake: Images, cycled: Images) -> Pixels:
    """Return a picture with a row real | fake | cycled for each of the images."""
    columns = [
        np.concatenate([shown_pixels(image) for image in torch.split(images, 1)]) for images in (real, fake, cycled)
    ]
    return np.concatenate(columns, axis=1)


def save_grid(path: Path, grid: Pixels) -> None:
    """Write a grid as PNG, whole."""
    with written_whole(path) as aside:
        Image.fromarray(grid).save(aside, format="PNG")
