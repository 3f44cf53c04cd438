"""Training: the game, its engine and what it writes down."""

from cyclegan.training.distillation import settings_of_student
from cyclegan.training.distributed import Ranks
from cyclegan.training.fabric import joined, on_devices, started_processes
from cyclegan.training.inputs import Moment, Observer, Plan
from cyclegan.training.loop import Outcome, check_continuation, prepare, train

__all__ = [
    "Moment",
    "Observer",
    "Outcome",
    "Plan",
    "Ranks",
    "check_continuation",
    "joined",
    "on_devices",
    "prepare",
    "settings_of_student",
    "started_processes",
    "train",
]
