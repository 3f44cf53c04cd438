"""Evaluation: how far translations are from real pictures, and how faithful they are."""

from cyclegan.evaluation.extractors import Extractor, load_extractor
from cyclegan.evaluation.folders import Folder
from cyclegan.evaluation.resizing import RESIZINGS, Resizing
from cyclegan.evaluation.scores import Evaluation, check_enough, evaluate

__all__ = [
    "RESIZINGS",
    "Evaluation",
    "Extractor",
    "Folder",
    "Resizing",
    "check_enough",
    "evaluate",
    "load_extractor",
]
