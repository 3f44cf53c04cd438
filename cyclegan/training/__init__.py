"""Training: the game, its engine and what it writes down."""

from cyclegan.training.plan import Moment, Observer, Plan
from cyclegan.training.trainer import Outcome, begin, prepare, train

__all__ = ["Moment", "Observer", "Outcome", "Plan", "begin", "prepare", "train"]
