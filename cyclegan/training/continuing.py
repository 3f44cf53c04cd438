"""Continuing a saved run: its state, and what changed since: moved folders, a longer schedule, other devices."""

import os
from dataclasses import replace
from typing import Any

from cyclegan.checkpoints.records import delete_old_held_out, delete_records_after, read_metrics
from cyclegan.checkpoints.run import Run, can_start
from cyclegan.checkpoints.states import has_state, latest_step, load_state
from cyclegan.config import Config, forbidden_changes
from cyclegan.directions import DIRECTIONS
from cyclegan.errors import ConfigError, RunError
from cyclegan.text import printable
from cyclegan.training.callbacks import save_models
from cyclegan.training.inputs import Log, TrainInputs
from cyclegan.training.schedule import scheduled_rate
from cyclegan.training.state import TrainState, select_rank
from cyclegan.training.time_plan import TimePlan

RATE_TOLERANCE = 0.01  # of a learning rate: smaller rises are rounding
BEST_NAMES_BEFORE = {"least": "lowest_score", "least_epoch": "lowest_score_epoch", "since": "validations_since"}


def check_continuation(config: Config, run: Run) -> None:
    """Raise an error unless a run can start in this folder, or continue with these settings; nothing is written."""
    if not run.folder.exists():
        return
    name, hint = printable(run.folder), "Give this run another --name, or move the old one aside with --fresh."
    if not has_state(run):
        if not can_start(run):
            raise RunError(f"{name} holds other files, and no saved state to continue from.", hint)
        return
    try:
        old = run.load_config()
    except ConfigError as error:
        raise RunError(f"the settings of {name} cannot be read: {error}", hint) from error
    if changes := forbidden_changes(old, config):
        raise RunError(
            f"{name} was trained with other settings: {'; '.join(changes)}.",
            "Use the old ones to continue it, another --name to train beside it, or --fresh to move it aside.",
        )


def with_saved_names(config: Config, run: Run) -> Config:
    """Return the settings with the domain names of the saved run, which a renamed folder does not change."""
    saved = run.load_config().data
    return replace(config, data=replace(config.data, name_a=saved.name_a, name_b=saved.name_b))


def check_moved_pictures(inputs: TrainInputs) -> None:
    """Raise an error if folders of a saved run have moved and hold other pictures than the run was trained on."""
    moved = moved_folders(inputs)
    state = load_state(inputs.run) if moved else None
    if state is None:
        return
    for domain, saved, now in zip("ab", state[1]["pictures"], inputs.fingerprints, strict=True):
        if domain in moved and saved != now:
            old, new = moved[domain]
            raise RunError(
                f"{printable(inputs.run.folder)} was trained on the pictures of {printable(old)}, "
                f"and those of {printable(new)} are others: their names or sizes differ.",
                "Name the folder that holds the same pictures, give this run another --name, "
                "or move the old one aside with --fresh.",
            )


def resume(state: TrainState, inputs: TrainInputs, log: Log) -> tuple[TrainInputs, list[str]]:
    """Load the newest saved state, if there is one, and delete the records of later steps.

    Return the inputs with the batches that were taken before, and notes for the user.
    """
    ranks, saved = inputs.ranks, load_state(inputs.run)
    if saved is None:
        if ranks.is_first:
            delete_records_after(inputs.run, 0)
        return inputs, []
    tensors, facts, notes = saved
    facts = with_best_by_direction(facts, inputs.run)
    state.load_state_dict(select_rank(ranks.rank, tensors, state.state_dict()[0]), facts)
    if state.plan and (plan := facts.get("plan")):
        before, after = TimePlan(**plan).learning_rate_factor(state.step - 1), inputs.learning_rate(state.step)
        notes += rise_notes(before * inputs.full_learning_rate, after)
    # On another number of devices a step takes another number of batches.
    ranks_before = facts.get("ranks", 1)
    batch_offset = facts.get("batch_offset", 0) + state.step * (ranks_before - ranks.count)
    inputs = replace(inputs, batch_offset=batch_offset)
    if ranks.is_first:
        save_models(inputs, state)  # a kill between a state and its models leaves older ones
        delete_records_after(inputs.run, state.step)
        delete_old_held_out(inputs.run)
    if state.plan:
        state.plan.update_used_time(inputs.stopwatch)
    left = f", with {state.plan.describe_rest()}" if state.plan and state.step < inputs.total_steps else ""
    log(f"Resuming from step {state.step:,}{left}.")
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


def with_best_by_direction(facts: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the facts of a state with a best for each direction; early states of 0.2 have one for both.

    Its score is the mean of both, while a direction's own score at that step is in the metrics.
    """
    both = facts.get("best")
    if not isinstance(both, dict) or "least" not in both:
        return facts
    renamed = {BEST_NAMES_BEFORE.get(name, name): value for name, value in both.items()}
    line: dict[str, Any] = next((line for line in read_metrics(run) if line["step"] == both.get("step")), {})
    scores = {direction: line.get(f"swd_{direction}", both["least"]) for direction, *_ in DIRECTIONS}
    return facts | {"best": {direction: renamed | {"lowest_score": score} for direction, score in scores.items()}}


def continuation_notes(inputs: TrainInputs) -> list[str]:
    """Return what the user should know before a saved run continues with these inputs."""
    names = {"a": inputs.domain_a.name, "b": inputs.domain_b.name}
    notes = [
        f"The folders moved: the pictures of {printable(names[domain])} are the same, now in {printable(new)}."
        for domain, (_, new) in moved_folders(inputs).items()
    ]
    return notes if inputs.plan else notes + rise_notes(*learning_rates(inputs))


def rise_notes(before: float, after: float) -> list[str]:
    """Return a message if the learning rate rises from that of the last step to that of the next."""
    if after <= before * (1 + RATE_TOLERANCE):
        return []
    return [
        f"The learning rate rises from {before:.3g} to {after:.3g}, as the longer schedule says, which can cost "
        f"quality. To stay at the last rate: --set schedule.max_learning_rate={before:.3g}"
    ]


def moved_folders(inputs: TrainInputs) -> dict[str, tuple[str, str]]:
    """Return by domain, `a` or `b`, the old and the new folder where they differ from the saved run."""
    old, new = inputs.run.load_config().data, inputs.config.data
    moved = {}
    for domain in "ab":
        for key in (f"validate_{domain}", f"folder_{domain}"):
            folders = getattr(old, key), getattr(new, key)
            if os.path.realpath(folders[0]) != os.path.realpath(folders[1]):
                moved[domain] = folders
    return moved


def learning_rates(inputs: TrainInputs) -> tuple[float, float]:
    """Return the learning rate of the last saved step, by the saved schedule, and that of the next step."""
    step, full = latest_step(inputs.run), inputs.full_learning_rate
    before = scheduled_rate(inputs.run.load_config().schedule, full, inputs.epoch(max(step - 1, 0)) - 1)
    if step >= inputs.total_steps:
        return before, before
    return before, inputs.learning_rate(step)
