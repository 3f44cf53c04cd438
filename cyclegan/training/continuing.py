"""What may be different when a run continues: its folders may have moved, and its schedule may be longer."""

import os
from dataclasses import replace

from cyclegan.config import Config
from cyclegan.errors import RunError, printable
from cyclegan.runs import Run, last_step, load_state
from cyclegan.training.plan import Plan
from cyclegan.training.schedule import scheduled_rate

TOLERANCE = 0.01  # of a learning rate: what the message rounds away


def with_saved_names(config: Config, run: Run) -> Config:
    """Return the settings with the domain names of the saved run, which a renamed folder does not change."""
    saved = run.load_config().data
    return replace(config, data=replace(config.data, name_a=saved.name_a, name_b=saved.name_b))


def check_moved_pictures(plan: Plan) -> None:
    """Raise an error if folders of a saved run have moved and hold other pictures than the run was trained on."""
    moved, state = moved_folders(plan), None
    if moved:
        state = load_state(plan.run)
    if state is None:
        return
    for side, saved, now in zip("ab", state[1]["pictures"], plan.fingerprints, strict=True):
        if side in moved and saved != now:
            old, new = moved[side]
            raise RunError(
                f"{printable(plan.run.folder)} was trained on the pictures of {printable(old)}, "
                f"and those of {printable(new)} are others: their names or sizes differ.",
                "Name the folder that holds the same pictures, give this run another --name, "
                "or move the old one aside with --fresh.",
            )


def continuation_notes(plan: Plan) -> list[str]:
    """Return what the user should know before a saved run continues with this plan."""
    names = {"a": plan.domain_a.name, "b": plan.domain_b.name}
    notes = [
        f"The folders moved: the pictures of {printable(names[side])} are the same, now in {printable(new)}."
        for side, (_, new) in moved_folders(plan).items()
    ]
    before, after = learning_rates(plan)
    if after > before * (1 + TOLERANCE):
        notes.append(
            f"The learning rate rises from {before:.3g} to {after:.3g}, as the longer schedule says, which can cost "
            f"quality. To stay at the last rate: --set schedule.max_learning_rate={before:.3g}"
        )
    return notes


def moved_folders(plan: Plan) -> dict[str, tuple[str, str]]:
    """Return by side, `a` or `b`, the old and the new folder, where it lies elsewhere than when the run was saved."""
    old, new = plan.run.load_config().data, plan.config.data
    moved = {}
    for side in "ab":
        for key in (f"validate_{side}", f"folder_{side}"):
            places = getattr(old, key), getattr(new, key)
            if os.path.realpath(places[0]) != os.path.realpath(places[1]):
                moved[side] = places
    return moved


def learning_rates(plan: Plan) -> tuple[float, float]:
    """Return the learning rate of the last saved step, by the saved schedule, and that of the step to come."""
    step, full = last_step(plan.run), plan.full_learning_rate
    before = scheduled_rate(plan.run.load_config().schedule, full, plan.epoch(max(step - 1, 0)) - 1)
    if step >= plan.total_steps:
        return before, before
    return before, scheduled_rate(plan.config.schedule, full, plan.epoch(step) - 1)
