"""The summary before a training."""

from typing import TYPE_CHECKING

from cyclegan.cli.console import table
from cyclegan.text import counted, duration, printable

if TYPE_CHECKING:
    from cyclegan.training import TrainInputs
    from cyclegan.training.distillation import Teacher


def train_summary(inputs: "TrainInputs") -> str:
    """Return the summary, as lines for people."""
    from cyclegan.data.samples import find_pairs
    from cyclegan.devices import describe_device

    config, data = inputs.config, inputs.config.data
    domains = [
        (
            f"domain {letter}",
            f"{printable(domain.name)}: {counted(len(domain.pictures), 'picture')} in {printable(domain.folder)}",
        )
        for letter, domain in (("A", inputs.domain_a), ("B", inputs.domain_b))
    ]
    skipped = len(inputs.domain_a.skipped) + len(inputs.domain_b.skipped)
    shape = "aspect kept" if data.keep_aspect else "resized to a square"
    return table(
        [
            *domains,
            *([("pairs", find_pairs(inputs.domain_a, inputs.domain_b).describe())] if data.paired else []),
            *([("skipped", f"{counted(skipped, 'picture')} that cannot be read")] if skipped else []),
            ("images", f"{data.size} x {data.size} pixels, cropped from {data.short_side}, {shape}"),
            ("networks", config.generator_description),
            *(
                [("identity", f"no such loss: {data.channels_a} channels against {data.channels_b}")]
                if data.channels_a != data.channels_b and config.loss.identity
                else []
            ),
            *([("teacher", teacher(inputs, inputs.teacher))] if inputs.teacher else []),
            *([("weights of", initial_model(inputs))] if inputs.initial_weights else []),
            *([("validation", validation(inputs))] if inputs.domain_a.held_out else []),
            ("device", f"{describe_device(inputs.device)}, {inputs.precision}"),
            *([("devices", devices(inputs))] if inputs.ranks.count > 1 else []),
            ("steps", steps(inputs)),
            ("results", printable(inputs.run.folder)),
        ]
    )


def steps(inputs: "TrainInputs") -> str:
    """Return the number of steps, and their epochs or their time."""
    batch, schedule = inputs.config.training.batch_size, inputs.config.schedule
    samples = f"of {batch} sample{'s' * (batch > 1)}"
    if schedule.hours != "none":
        return f"as many {samples} as fit into {duration(schedule.hours * 3600)}"
    cut = ", cut short" if schedule.max_steps != "none" else ""
    epochs = f"{schedule.epochs} + {schedule.decay_epochs} epochs of {inputs.steps_per_epoch:,} steps"
    return f"{inputs.total_steps:,} {samples} ({epochs}{cut})"


def devices(inputs: "TrainInputs") -> str:
    """Return the number of devices, their samples in a step, and the learning rate."""
    count, samples = inputs.ranks.count, inputs.ranks.count * inputs.config.training.batch_size
    rate, scale = inputs.full_learning_rate, inputs.config.optimizer.scale
    return f"{count}, with {samples} samples in a step; learning rate {rate:g} (--scale-lr {scale})"


def validation(inputs: "TrainInputs") -> str:
    """Return the numbers and folders of held-out pictures."""
    a, b, data = len(inputs.domain_a.held_out), len(inputs.domain_b.held_out), inputs.config.data
    if data.validate_a:
        return f"{a} held-out pictures in {printable(data.validate_a)} and {b} in {printable(data.validate_b)}"
    return f"{a} and {b} held-out pictures"


def teacher(inputs: "TrainInputs", model: "Teacher") -> str:
    """Return the teacher, and the ratio of its multiply-adds to those of the student."""
    from cyclegan.models import multiply_adds

    channels, size = model.info.channels("a2b"), inputs.config.data.size
    teacher_cost, student_cost = (
        multiply_adds(config, channels, size) for config in (model.info.generator, inputs.config.resolved_generator)
    )
    return f"{printable(inputs.config.training.teacher)}, of {teacher_cost / student_cost:.3g} times the multiply-adds"


def initial_model(inputs: "TrainInputs") -> str:
    """Return the model whose weights a new run starts from, and the networks that have them."""
    networks = sorted(inputs.initial_networks)
    warmup = inputs.discriminator_warmup
    first = f"; the discriminators learn alone for {counted(warmup, 'step')}" if warmup else ""
    return f"{printable(inputs.config.training.init_from or 'the teacher')}: {', '.join(networks)}{first}"
