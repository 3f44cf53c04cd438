"""Translation of files and folders: planning, the pipeline, archives, scores, watching and Ray."""

from cyclegan.inference.loading import choose_direction, choose_model
from cyclegan.inference.translator import Translator
from cyclegan.translation.addresses import displayed
from cyclegan.translation.compared_models import ComparedModel, Comparison, compare_models, compared_models
from cyclegan.translation.folders import TranslatePlan, translate_folder, with_tables
from cyclegan.translation.job import TranslateJob, TranslateOptions, TranslateResult
from cyclegan.translation.masks import check_mask, check_mask_stays
from cyclegan.translation.outputs import check_folders, check_output, is_archive, translate_into_archive
from cyclegan.translation.pipeline import count_pictures_and_frames, translate_targets
from cyclegan.translation.ray_data import passed_over_remote, plan_remote_targets, translate_on_ray
from cyclegan.translation.scale import scale_note
from cyclegan.translation.scores import Scorer, write_scores
from cyclegan.translation.sequences import describe_sequences
from cyclegan.translation.targets import Target, in_formats, passed_over_in, plan_targets, root_of
from cyclegan.translation.watching import watch

__all__ = [
    "ComparedModel",
    "Comparison",
    "Scorer",
    "Target",
    "TranslateJob",
    "TranslateOptions",
    "TranslatePlan",
    "TranslateResult",
    "Translator",
    "check_folders",
    "check_mask",
    "check_mask_stays",
    "check_output",
    "choose_direction",
    "choose_model",
    "compare_models",
    "compared_models",
    "count_pictures_and_frames",
    "describe_sequences",
    "displayed",
    "in_formats",
    "is_archive",
    "passed_over_in",
    "passed_over_remote",
    "plan_remote_targets",
    "plan_targets",
    "root_of",
    "scale_note",
    "translate_folder",
    "translate_into_archive",
    "translate_on_ray",
    "translate_targets",
    "watch",
    "with_tables",
    "write_scores",
]
