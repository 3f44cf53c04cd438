"""The learning rate over the epochs, exactly as the reference's `linear` policy."""

from cyclegan.config import ScheduleConfig


def learning_rate_factor(epoch: int, epochs: int, decay_epochs: int) -> float:
    """Return the factor of the learning rate in `epoch`, counted from 0.

    It is 1 for the first `epochs`, then falls in `decay_epochs` equal steps; the one after the last would be zero.
    """
    return 1.0 - max(0, min(epoch + 1 - epochs, decay_epochs)) / (decay_epochs + 1)


def scheduled_rate(schedule: ScheduleConfig, full: float, epoch: int) -> float:
    """Return the learning rate in `epoch`, counted from 0, of which `full` is that before its decay."""
    rate = full * learning_rate_factor(epoch, schedule.epochs, schedule.decay_epochs)
    return min(rate, schedule.max_learning_rate)


def epoch_of(step: int, steps_per_epoch: int) -> int:
    """Return the epoch, counted from 0, to which a step, counted from 0, belongs."""
    return step // steps_per_epoch
