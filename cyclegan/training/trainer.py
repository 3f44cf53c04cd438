"""The trainer: brings data, game and engine together, and tells observers of every step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cyclegan.config import Config, forbidden_changes, save_config
from cyclegan.data.domains import load_domain
from cyclegan.data.loader import batches
from cyclegan.data.overlap import check_folders_apart
from cyclegan.devices import choose_device, memory_errors, stream_of_its_own, uses_bf16
from cyclegan.errors import ConfigError, GameLostError, RunError, printable, require_extra
from cyclegan.images import scaled_on
from cyclegan.model_files import save_model
from cyclegan.runs import (
    Run,
    forget_after,
    forget_held_out_before_newest,
    has_state,
    load_state,
    may_begin,
    require_there,
)
from cyclegan.training.concurrency import sharing_process
from cyclegan.training.continuing import check_moved_pictures, with_saved_names
from cyclegan.training.doctor import Doctor
from cyclegan.training.engine import engine
from cyclegan.training.initial import first_weights
from cyclegan.training.pace import Tell
from cyclegan.training.plan import Moment, Observer, Plan
from cyclegan.training.recording import MetricsFile, SampleGrids, Saver, TensorBoard, save_models
from cyclegan.training.schedule import scheduled_rate
from cyclegan.training.session import Session, Tally, of_rank
from cyclegan.training.setup import new_session, quickened, what_fits
from cyclegan.training.teacher import teacher_of
from cyclegan.training.validation import Validation

CALMER = 0.5  # of the learning rate, after updates that were not finite


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    step: int
    total_steps: int
    played: int  # steps of this process
    seconds: float  # from the first of them to the last
    notes: tuple[str, ...] = ()  # what the user should know about the continuation
    plateau: int = 0  # the epoch after which nothing got better, where that ended it

    @property
    def finished(self) -> bool:
        """Whether all steps have been played, or as many as a plateau leaves."""
        return self.step >= self.total_steps or self.plateau > 0


def check_continuation(config: Config, run: Run) -> None:
    """See that a run can begin in this folder, or be continued with these settings; nothing is written."""
    if not run.folder.exists():
        return
    name, way_out = printable(run.folder), "Give this run another --name, or move the old one aside with --fresh."
    if not has_state(run):
        if not may_begin(run):
            raise RunError(f"{name} holds other things, and no state that could be continued.", way_out)
        return
    try:
        old = run.load_config()
    except ConfigError as error:
        raise RunError(f"the settings of {name} are damaged: {error}", way_out) from error
    if changes := forbidden_changes(old, config):
        raise RunError(
            f"{name} was trained with other settings: {'; '.join(changes)}.",
            "Use the old ones to continue it, another --name to train beside it, or --fresh to move it aside.",
        )


def prepare(
    config: Config, run: Run, *, scratch: Path, on_picture: Callable[[], object] = lambda: None, fresh: bool = False
) -> Plan:
    """Load the data and choose the device; `scratch` holds pictures that do not fit in memory.

    The model to begin with is read only for a new run, or a `fresh` one: to continue, its state is enough, and the copy
    of its teacher.
    """
    if config.logging.tensorboard:
        require_extra("tensorboard", "tensorboard")
    device = choose_device(config.machine.device)
    if config.machine.threads:
        torch.set_num_threads(config.machine.threads)
    new = fresh or not has_state(run)
    config = config if new else with_saved_names(config, run)
    check_folders_apart(config.data)
    teacher = teacher_of(config, run, new=new)
    plan = Plan(
        config=config,
        run=run,
        domain_a=load_domain(config, "a", scratch=scratch, on_picture=on_picture),
        domain_b=load_domain(config, "b", scratch=scratch, on_picture=on_picture),
        device=device,
        precision="bf16" if uses_bf16(config.game.precision, device) else "fp32",
        initial=first_weights(config, teacher) if new else {},
        teacher=teacher,
    )
    if not new:
        check_moved_pictures(plan)
    return plan


def train(
    plan: Plan,
    *,
    observers: Sequence[Observer] = (),
    interrupted: Callable[[], bool] = lambda: False,
    tell: Tell = lambda _: None,
) -> Outcome:
    """Play the game from where its run stands to the end, or until `interrupted()`; everything is saved either way.

    The run's folder must be ours alone (`runs.locked`) and fit to be continued (`check_continuation`). `tell` hears, in
    sentences, how the game is made fast. Of several ranks each plays; the first judges and writes for all.
    """
    with sharing_process(plan), plan.ranks.losses(), stream_of_its_own(plan.device):
        return train_with_others(plan, observers, interrupted, tell)


def train_with_others(
    plan: Plan, observers: Sequence[Observer], interrupted: Callable[[], bool], tell: Tell
) -> Outcome:
    """Do what `train` does; where another rank is gone, raise what the engine does."""
    ranks = plan.ranks
    if ranks.first:
        write_down(plan)
    fabric = engine(plan)
    with memory_errors(plan.device, partial(what_fits, plan)):
        session = new_session(plan, fabric)
    plan, notes = continue_from_state(session, plan)
    judges: list[Callable[[Session, dict[str, Any]], dict[str, Any]]] = []
    saver = Saver(time.monotonic)
    if ranks.first:
        judges = [Validation(plan), Doctor(plan)]
        if plan.config.logging.tensorboard:
            observers = [TensorBoard(plan.run, session.step), *observers]
        observers = [MetricsFile(), SampleGrids(plan), *observers, saver]
    else:
        observers = [saver]
    begin = plan.batches_before(session.step) + ranks.rank
    stream = batches(plan.domain_a, plan.domain_b, plan.config, begin, ranks.count)
    last = session.step >= plan.total_steps or plateau(session, plan) > 0
    play = quickened(session, plan, fabric, tell)
    first, started, since = session.step, time.perf_counter(), time.perf_counter()
    while not last:
        real_a, real_b = (
            scaled_on(batch, plan.device).contiguous(memory_format=session.layout) for batch in next(stream)
        )
        rate = learning_rate(session, plan)
        with memory_errors(plan.device, partial(what_fits, plan)):
            session.prepare(rate, len(real_a))
            session.tally.add(play(real_a, real_b))
        session.step += 1
        last = ranks.any(interrupted()) or session.step >= plan.total_steps
        metrics, lost = None, None
        if session.step % plan.config.logging.every == 0 or session.step == plan.total_steps:
            now = time.perf_counter()
            pairs = session.tally.steps * plan.config.game.batch_size * ranks.count
            metrics = metrics_line(session, plan, rate) | {
                "pairs_per_second": round(pairs / (now - since), 3),
                "elapsed_seconds": round(now - started, 3),
            }
            since = now
            if ranks.first:
                require_there(plan.run)
            for judge in judges:
                metrics = judge(session, metrics)
            metrics = ranks.from_first(metrics)
            lost = treat(session, metrics, obedient=plan.config.schedule.obey_doctor)
            last = last or lost is not None or ranks.any(plateau(session, plan) > 0)
        moment = Moment(plan, session, session.step, plan.epoch(session.step - 1), metrics, last)
        for observe in observers:
            observe(moment)
        if lost and ranks.first:
            raise lost
    seconds, played = time.perf_counter() - started, session.step - first
    return Outcome(session.step, plan.total_steps, played, seconds, tuple(notes), plateau(session, plan))


def write_down(plan: Plan) -> None:
    """Write what a run has from its beginning: its settings, and its copy of the model that it imitates."""
    save_config(plan.config, plan.run.config)
    if plan.teacher and not has_state(plan.run):
        save_model(plan.run.teacher, plan.teacher.info, plan.teacher.weights)


def continue_from_state(session: Session, plan: Plan) -> tuple[Plan, list[str]]:
    """Go back to the newest state, if there is one, and forget what was written after it.

    Return the plan of what is left, and notes for the user.
    """
    ranks, state = plan.ranks, load_state(plan.run)
    if state is None:
        if ranks.first:
            forget_after(plan.run, 0)
        return plan, []
    tensors, facts, notes = state
    session.restore(of_rank(ranks.rank, tensors, session.capture()[0]), facts)
    before = facts.get("ranks", 1)
    plan = replace(plan, lead=facts.get("lead", 0) + session.step * (before - ranks.count))
    if ranks.first:
        save_models(plan, session)  # a kill between a state and its models leaves older ones
        forget_after(plan.run, session.step)
        forget_held_out_before_newest(plan.run)
    if before != ranks.count:
        notes.append(
            f"the last save is of {before} devices and this goes on with {ranks.count}: every picture still comes when "
            "it is due, but steps have another number of pairs, and past fakes and random states are not those that "
            "were saved, so this continuation is not exact."
        )
    notes += [
        f"the pictures of {printable(domain.name)} are not those of the last save, so this continuation is not exact."
        for domain, saved, now in zip((plan.domain_a, plan.domain_b), facts["pictures"], plan.fingerprints, strict=True)
        if now != saved
    ]
    return plan, notes


def learning_rate(session: Session, plan: Plan) -> float:
    """Return the learning rate of the step to come."""
    rate = scheduled_rate(plan.config.schedule, plan.full_learning_rate, plan.epoch(session.step) - 1)
    return rate * CALMER**session.rescues


def plateau(session: Session, plan: Plan) -> int:
    """Return the epoch since which nothing got better, where a run ends by that; else 0."""
    schedule, best = plan.config.schedule, session.best
    return best.least_epoch if schedule.stop_on_plateau and best and best.since >= schedule.plateau_patience else 0


def metrics_line(session: Session, plan: Plan, rate: float) -> dict[str, Any]:
    """Return the means of losses and vital signs since the last line, and begin a new tally."""
    means = session.tally.means(plan.ranks)
    session.tally = Tally()
    epoch = plan.epoch(session.step - 1)
    return {"step": session.step, "epoch": epoch, "learning_rate": rate, "rescues": session.rescues, **means}


def treat(session: Session, line: dict[str, Any], *, obedient: bool) -> GameLostError | None:
    """Follow the doctor: rescue, once, a game whose numbers were not finite; return the end of one that is lost."""
    stops = [finding for finding in line["health"]["findings"] if finding["verdict"] == "stop"]
    if line["refused_updates"]:
        session.rescue()
    lost = [finding for finding in stops if finding["name"] == "not_finite" or obedient]
    return GameLostError(f"the game is lost: {lost[0]['reason']}", lost[0]["remedy"]) if lost else None
