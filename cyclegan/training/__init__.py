"""Training: the game, its engine and what it writes down."""

from cyclegan.training.trainer import Moment, Observer, Outcome, Plan, begin, prepare, train

__all__ = ["Moment", "Observer", "Outcome", "Plan", "begin", "prepare", "train"]
