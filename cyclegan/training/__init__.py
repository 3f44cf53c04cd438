"""Training: the game, its engine and what it writes down."""

from cyclegan.training.continuing import continuation_notes
from cyclegan.training.engine import joined, on_devices, started_processes
from cyclegan.training.plan import Moment, Observer, Plan
from cyclegan.training.ranks import Ranks
from cyclegan.training.teacher import settings_of_student
from cyclegan.training.trainer import Outcome, check_continuation, prepare, train

__all__ = [
    "Moment",
    "Observer",
    "Outcome",
    "Plan",
    "Ranks",
    "check_continuation",
    "continuation_notes",
    "joined",
    "on_devices",
    "prepare",
    "settings_of_student",
    "started_processes",
    "train",
]
