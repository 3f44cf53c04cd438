"""Translation: redrawing pictures of any size, and folders of them."""

from cyclegan.checkpoints.model_file import Direction
from cyclegan.inference.translator import Translator, choose_direction
from cyclegan.translation.outputs import (
    check_output_name,
    check_places,
    is_archive,
    translate_into_archive,
)
from cyclegan.translation.pipeline import Manner, Outcome, Work, amount_of_work, translate_all
from cyclegan.translation.ray_data import passed_over_far, plan_spread, shown, spread
from cyclegan.translation.scale import scale_note
from cyclegan.translation.scores import Scorer, write_scores
from cyclegan.translation.sequences import describe_sequences
from cyclegan.translation.targets import Task, in_formats, passed_over_in, plan_tasks
from cyclegan.translation.watching import watch

__all__ = [
    "Direction",
    "Manner",
    "Outcome",
    "Scorer",
    "Task",
    "Translator",
    "Work",
    "amount_of_work",
    "check_output_name",
    "check_places",
    "choose_direction",
    "describe_sequences",
    "in_formats",
    "is_archive",
    "passed_over_far",
    "passed_over_in",
    "plan_spread",
    "plan_tasks",
    "scale_note",
    "shown",
    "spread",
    "translate_all",
    "translate_into_archive",
    "watch",
    "write_scores",
]
