"""A run that fits itself to a time, and the time that any run takes, as messages."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cyclegan.cli.console import Console
from cyclegan.config import Config, Settings, build_config
from cyclegan.text import counted, duration

if TYPE_CHECKING:
    from cyclegan.training import TrainInputs

LONG_SECONDS = 12 * 3600  # from which a run is not for an evening
FEW_SAMPLES = 8_000
MEASURING = "Measuring how fast this machine trains."


def choose_for_time(
    config: Config, layers: Sequence[Settings], folder: Path, console: Console, *, fresh: bool
) -> list[Settings]:
    """Choose the layers of settings beneath `layers` that make the best of `schedule.hours`, and print them.

    A run that continues keeps those that were chosen when it began.
    """
    from cyclegan.checkpoints.run import Run
    from cyclegan.checkpoints.states import has_state
    from cyclegan.training import started_processes
    from cyclegan.training.settings_for_time import chosen_before, settings_for_time
    from cyclegan.training.speed import measured_seconds_per_step

    run = Run(folder)
    if not fresh and has_state(run):
        return [chosen_before(run.load_config())]
    if config.machine.devices > 1 or started_processes()[0] > 1:
        console.tell("On several devices the time decides on the number of steps, and not on the networks.")
        return []
    assert config.schedule.hours != "none"
    with console.tell_if_slow(MEASURING):
        settings = settings_for_time(config.schedule.hours, layers, measured_seconds_per_step)
    choice = described_choice(build_config(*settings, *layers))
    console.tell(f"For {duration(config.schedule.hours * 3600)}: {choice}.")
    return settings


def described_choice(config: Config) -> str:
    """Return what was chosen for a time, as part of a sentence."""
    discriminator = config.discriminator
    return (
        f"{config.data.size} px cropped from {config.data.short_side}, {config.generator_description}, "
        f"discriminators of width {discriminator.width} and {discriminator.layers} layers, "
        f"learning rate {config.optimizer.learning_rate:g}"
    )


def plan_run(inputs: "TrainInputs") -> str:
    """Measure a step of a new run, plan by it a run that fits itself to a time, and describe the plan in a sentence."""
    from cyclegan.training.speed import measured_seconds_per_step

    config, plan = inputs.config, inputs.plan
    step = measured_seconds_per_step(config)
    speed = f"{step:.2g} s" if step < 10 else f"{step:.0f} s"
    if plan:
        plan.update_used_time(inputs.stopwatch)
        plan.replan(0, step)
        about = f"About {counted(inputs.total_steps, 'step')} at {speed}"
        few = inputs.total_steps * config.training.batch_size < FEW_SAMPLES
        advice = " So few samples change colours, and little else: more time gives better pictures." if few else ""
        return f"{about}: {plan.describe_rest()}; the learning rate falls in the last {config.decay_share:.0%}.{advice}"
    seconds = inputs.total_steps * step
    machine = {"cpu": "this CPU", "cuda": "this GPU"}.get(inputs.device.type, "this machine")
    text = (
        f"{counted(inputs.total_steps, 'step')} at {speed}: {duration(seconds)} on {machine}, until {moment(seconds)}."
    )
    return text + (" `--hours 3` makes the best of an evening." if seconds > LONG_SECONDS else "")


def moment(seconds: float) -> str:
    """Return the local time in so many seconds, with its date unless that is today's."""
    now = datetime.now()
    end = now + timedelta(seconds=seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d}"
