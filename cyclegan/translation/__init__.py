"""Translation: redrawing pictures of any size, and folders of them."""

from cyclegan.checkpoints.model_file import Direction
from cyclegan.inference.translator import Translator, choose_direction
from cyclegan.translation.outputs import (
    check_output_name,
    check_places,
    is_archive,
    translate_into_archive,
)
from cyclegan.translation.pipeline import (
    TranslateJob,
    TranslateOptions,
    TranslateResult,
    count_pictures_and_frames,
    translate_targets,
)
from cyclegan.translation.ray_data import passed_over_far, plan_spread, shown, spread
from cyclegan.translation.scale import scale_note
from cyclegan.translation.scores import Scorer, write_scores
from cyclegan.translation.sequences import describe_sequences
from cyclegan.translation.targets import Target, in_formats, passed_over_in, plan_targets
from cyclegan.translation.watching import watch

__all__ = [
    "Direction",
    "Scorer",
    "Target",
    "TranslateJob",
    "TranslateOptions",
    "TranslateResult",
    "Translator",
    "check_output_name",
    "check_places",
    "choose_direction",
    "count_pictures_and_frames",
    "describe_sequences",
    "in_formats",
    "is_archive",
    "passed_over_far",
    "passed_over_in",
    "plan_spread",
    "plan_targets",
    "scale_note",
    "shown",
    "spread",
    "translate_into_archive",
    "translate_targets",
    "watch",
    "write_scores",
]
