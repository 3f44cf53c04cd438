"""Training: the game, its engine and what it writes down."""

from cyclegan.training.plan import Moment, Observer, Plan
from cyclegan.training.trainer import Outcome, check_continuation, prepare, train

__all__ = ["Moment", "Observer", "Outcome", "Plan", "check_continuation", "prepare", "train"]
