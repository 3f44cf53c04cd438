"""The trainer: brings data, game and engine together, and tells observers of every step.

Lightning Fabric is the engine: it places networks on the device, runs them in the precision asked for and takes the
gradients. Nothing else in the package knows it.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from torch import distributed, nn
from torch.optim import Optimizer

from cyclegan.config import Config, forbidden_changes, save_config
from cyclegan.data.domains import load_domain
from cyclegan.data.loader import batches
from cyclegan.devices import choose_device, memory_errors, our_memory, uses_bf16
from cyclegan.errors import ConfigError, DeviceError, GameLostError, RunError, printable, require_extra
from cyclegan.images import scaled_on
from cyclegan.models import Networks, build_networks
from cyclegan.runs import Run, forget_after, has_state, load_state
from cyclegan.training.doctor import Doctor
from cyclegan.training.guard import Guard
from cyclegan.training.initial import begin_with, initial_weights
from cyclegan.training.needs import largest_that_fits
from cyclegan.training.pace import Pace, Tell, compile_networks, record_on_cuda
from cyclegan.training.plan import Moment, Observer, Plan
from cyclegan.training.pool import ImagePool
from cyclegan.training.ranks import ALONE, Ranks, started_by_torchrun
from cyclegan.training.recording import MetricsFile, SampleGrids, Saver, TensorBoard, save_models
from cyclegan.training.schedule import learning_rate_factor
from cyclegan.training.session import Session, Tally, averaged, of_rank
from cyclegan.training.step import Game
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
        if any(place.name not in (run.states.name, run.config.name) for place in run.folder.iterdir()):
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


def on_devices(config: Config) -> Config:
    """Return settings with as many devices of this machine as torchrun or SLURM has started processes here.

    More devices than there are is an error.
    """
    processes, machines = started_processes()
    if processes > 1:
        config = replace(config, machine=replace(config.machine, devices=processes // machines))
    device, wanted = choose_device(config.machine.device), config.machine.devices
    there = {"cuda": torch.cuda.device_count(), "cpu": wanted}.get(device.type, 1) if device.index is None else 1
    if there < wanted:
        raise DeviceError(
            f"{wanted} devices are asked for, and there is {there} that {config.machine.device} stands for.",
            "Ask for fewer --devices, or for another --device: auto, cuda or cpu.",
        )
    return config


def started_processes() -> tuple[int, int]:
    """Return how many processes torchrun or SLURM has started for this training, and on how many machines."""
    if started_by_torchrun():
        processes = int(os.environ["WORLD_SIZE"])
        return processes, processes // int(os.environ["LOCAL_WORLD_SIZE"])
    if SLURMEnvironment.detect():
        return int(os.environ["SLURM_NTASKS"]), int(os.environ["SLURM_NNODES"])
    return 1, 1


def joined(config: Config) -> Ranks:
    """Join the other processes that torchrun or SLURM has started for this training, where there are any."""
    processes, machines = started_processes()
    if processes == 1:
        return ALONE
    device = choose_device(config.machine.device)
    precision = "bf16" if uses_bf16(config.game.precision, device) else "fp32"
    placement = {"devices": config.machine.devices, "num_nodes": machines, "strategy": "ddp"}
    fabric = fabric_of(device, precision, **placement)
    fabric.launch()
    return Ranks(fabric.global_rank, fabric.world_size, fabric, distributed.new_group(backend="gloo"))


def prepare(
    config: Config, run: Run, *, scratch: Path, on_picture: Callable[[], object] = lambda: None, fresh: bool = False
) -> Plan:
    """Load the data and choose the device; `scratch` holds pictures that do not fit in memory.

    The model to begin with is read only for a new run, or a `fresh` one: to continue, its state is enough.
    """
    if config.logging.tensorboard:
        require_extra("tensorboard", "tensorboard")
    device = choose_device(config.machine.device)
    if config.machine.threads:
        torch.set_num_threads(config.machine.threads)
    return Plan(
        config=config,
        run=run,
        domain_a=load_domain(config, "a", scratch=scratch, on_picture=on_picture),
        domain_b=load_domain(config, "b", scratch=scratch, on_picture=on_picture),
        device=device,
        precision="bf16" if uses_bf16(config.game.precision, device) else "fp32",
        initial=initial_weights(config) if config.game.init_from and (fresh or not has_state(run)) else {},
    )


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
    with plan.ranks.losses():
        return train_with_others(plan, observers, interrupted, tell)


def train_with_others(
    plan: Plan, observers: Sequence[Observer], interrupted: Callable[[], bool], tell: Tell
) -> Outcome:
    """Do what `train` does; where another rank is gone, raise what the engine does."""
    ranks = plan.ranks
    if ranks.first:
        save_config(plan.config, plan.run.config)
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


def new_session(plan: Plan, fabric: Fabric) -> Session:
    """Set up the game before its first step, on the plan's device."""
    config, device = plan.config, plan.device
    half = plan.precision == "bf16"
    layout = torch.channels_last if half else torch.contiguous_format  # the faster one
    pool = partial(
        ImagePool, config.game.pool_size, device=device, layout=layout, dtype=torch.bfloat16 if half else torch.float32
    )
    networks = build_networks(config)
    begin_with(networks, plan.initial)
    for _, network in networks.named():
        network.to(device).to(memory_format=layout)
    seed = config.game.seed + 2 * plan.ranks.rank  # each rank's own; the pools need two
    torch.manual_seed(seed)  # what dropout draws from

    optimizers = {
        "optimizer_g": adam(config, device, networks.a2b, networks.b2a),
        "optimizer_d": adam(config, device, networks.disc_a, networks.disc_b),
    }
    game = Game(
        networks=Networks(**{name: fabric.setup_module(network) for name, network in networks.named()}),
        optimizer_g=played_by(fabric, optimizers["optimizer_g"]),
        optimizer_d=played_by(fabric, optimizers["optimizer_d"]),
        pool_a=pool(seed),
        pool_b=pool(seed + 1),
        weights=config.loss,
        backward=fabric.backward,
    )
    if plan.ranks.count > 1:
        game.unshared = partial(unshared, fabric, game)
    decay = config.game.averaging
    return Session(
        game=game,
        networks=networks,
        optimizers=optimizers,
        guards={name: Guard(optimizer) for name, optimizer in optimizers.items()},
        averages={"a2b": averaged(networks.a2b), "b2a": averaged(networks.b2a)} if decay > 0 else {},
        decay=decay,
        device=device,
        layout=layout,
        pull=torch.ones((), device=device),
    )


def quickened(session: Session, plan: Plan, fabric: Fabric, tell: Tell) -> Pace:
    """Return what plays a session's steps, as fast as the device allows.

    On a CPU compiling is not worth its time; what ranks tell each other can neither be compiled nor recorded.
    """
    config, on_cuda = plan.config, plan.device.type == "cuda" and plan.ranks.count == 1
    torch.backends.cudnn.benchmark = config.machine.compile != "off"  # all images are of one size
    if config.machine.compile == "on" or (config.machine.compile == "auto" and on_cuda):
        channels, size = (config.data.channels_a, config.data.channels_b), config.data.size
        images = [torch.zeros(config.game.batch_size, c, size, size, device=plan.device) for c in channels]
        real_a, real_b = (image.contiguous(memory_format=session.layout) for image in images)
        with memory_errors(plan.device, partial(what_fits, plan)):
            compile_networks(session, fabric.setup_module, real_a, real_b, tell)
    return Pace(session, record_on_cuda if on_cuda and config.machine.compile != "off" else None, tell)


def engine(plan: Plan) -> Fabric:
    """Return Fabric on the plan's device and precision."""
    if plan.ranks.engine:
        together: Fabric = plan.ranks.engine
        return together
    index = plan.device.index
    return fabric_of(plan.device, plan.precision, devices=1 if index is None else [index])


def fabric_of(device: torch.device, precision: str, **placement: Any) -> Fabric:
    """Return Fabric on devices of one type."""
    return Fabric(accelerator=device.type, precision="bf16-mixed" if precision == "bf16" else "32-true", **placement)


@contextmanager
def unshared(fabric: Fabric, game: Game) -> Iterator[None]:
    """Keep the gradients of a game's networks with this rank, until others are added to them."""
    with ExitStack() as stack:
        for _, network in game.networks.named():
            wrapped: Any = network
            stack.enter_context(fabric.no_backward_sync(wrapped))
        yield


def played_by(fabric: Fabric, optimizer: Optimizer) -> Optimizer:
    """Return the optimizer as the engine steps it."""
    wrapped: Any = fabric.setup_optimizers(optimizer)
    steps: Optimizer = wrapped
    return steps


def what_fits(plan: Plan) -> str:
    """Return what to do where the memory of the plan's device is not enough."""
    return largest_that_fits(plan.config, our_memory(plan.device), half=plan.precision == "bf16")


def adam(config: Config, device: torch.device, *networks: nn.Module) -> torch.optim.Adam:
    """Return the paper's optimizer for these networks, all its updates in one call where the device can."""
    settings = config.optimizer
    fused = device.type in ("cpu", "cuda")
    rate = settings.learning_rate
    return torch.optim.Adam(
        [weight for network in networks for weight in network.parameters()],
        lr=torch.tensor(rate, device=device) if fused else rate,  # a recorded step reads it where it lies
        betas=(settings.beta1, settings.beta2),
        fused=fused,
        capturable=device.type == "cuda",
    )


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
    schedule = plan.config.schedule
    factor = learning_rate_factor(plan.epoch(session.step) - 1, schedule.epochs, schedule.decay_epochs)
    return plan.full_learning_rate * factor * CALMER**session.rescues


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
