"""Evaluation: distance of translations from real pictures, faithfulness to their sources."""

from cyclegan.evaluation.comparison import Evaluation, check_enough, evaluate_folders
from cyclegan.evaluation.extractors import Extractor, load_extractor
from cyclegan.evaluation.picture_folder import PictureFolder
from cyclegan.evaluation.resizing import RESIZINGS, Resizing

__all__ = [
    "RESIZINGS",
    "Evaluation",
    "Extractor",
    "PictureFolder",
    "Resizing",
    "check_enough",
    "evaluate_folders",
    "load_extractor",
]
