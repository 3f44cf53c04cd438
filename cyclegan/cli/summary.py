"""What is about to be trained, in words."""

from typing import TYPE_CHECKING

from cyclegan.cli.console import table
from cyclegan.errors import printable

if TYPE_CHECKING:
    from cyclegan.training import Plan
    from cyclegan.training.distillation import Teacher


def summary(plan: "Plan") -> str:
    """Return what is about to be trained, as lines for people."""
    from cyclegan.devices import describe_device

    config, data = plan.config, plan.config.data
    domains = [
        (f"domain {side}", f"{printable(domain.name)}: {len(domain.pictures)} pictures in {printable(domain.folder)}")
        for side, domain in (("A", plan.domain_a), ("B", plan.domain_b))
    ]
    skipped = len(plan.domain_a.skipped) + len(plan.domain_b.skipped)
    schedule = config.schedule
    shape = "aspect kept" if data.keep_aspect else "squashed to a square"
    return table(
        [
            *domains,
            *([("skipped", f"{skipped} pictures that cannot be read")] if skipped else []),
            ("images", f"{data.size} x {data.size} pixels, cropped from {data.short_side}, {shape}"),
            ("networks", config.generator_in_words),
            *(
                [("identity", f"no such loss: {data.channels_a} channels against {data.channels_b}")]
                if data.channels_a != data.channels_b and config.loss.identity
                else []
            ),
            *([("teacher", teacher(plan, plan.teacher))] if plan.teacher else []),
            *([("begins with", beginning(plan))] if plan.initial else []),
            *([("validation", validation(plan))] if plan.domain_a.held_out else []),
            ("device", f"{describe_device(plan.device)}, {plan.precision}"),
            *([("devices", together(plan))] if plan.ranks.count > 1 else []),
            (
                "steps",
                f"{plan.total_steps:,} of {config.game.batch_size} pair{'s' * (config.game.batch_size > 1)}"
                f" ({schedule.epochs} + {schedule.decay_epochs} epochs of {plan.steps_per_epoch:,} steps"
                f"{', cut short' if schedule.max_steps else ''})",
            ),
            ("results", printable(plan.run.folder)),
        ]
    )


def together(plan: "Plan") -> str:
    """Return how many devices there are, what they play in a step, and at which learning rate."""
    count, pairs = plan.ranks.count, plan.ranks.count * plan.config.game.batch_size
    rate, scale = plan.full_learning_rate, plan.config.optimizer.scale
    return f"{count}, with {pairs} pairs in a step; learning rate {rate:g} (--scale-lr {scale})"


def validation(plan: "Plan") -> str:
    """Return which pictures are held out."""
    a, b, data = len(plan.domain_a.held_out), len(plan.domain_b.held_out), plan.config.data
    if data.validate_a:
        return f"{a} held-out pictures in {printable(data.validate_a)} and {b} in {printable(data.validate_b)}"
    return f"{a} and {b} held-out pictures"


def teacher(plan: "Plan", model: "Teacher") -> str:
    """Return which model is imitated, and how much more work its generators are."""
    from cyclegan.models import multiply_adds, resolved

    channels, size = model.info.channels("a2b"), plan.config.data.size
    theirs, ours = (multiply_adds(spec, channels, size) for spec in (model.info.generator, resolved(plan.config)))
    return f"{printable(plan.config.game.teacher)}, of {theirs / ours:.3g} times the multiply-adds"


def beginning(plan: "Plan") -> str:
    """Return whose weights a new run begins with, and in which networks."""
    networks = sorted({name.partition(".")[0] for name in plan.initial})
    return f"{printable(plan.config.game.init_from or 'the teacher')}: {', '.join(networks)}"
