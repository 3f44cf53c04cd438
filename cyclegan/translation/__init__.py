"""Translation: redrawing pictures of any size, and folders of them."""

from cyclegan.model_files import Direction
from cyclegan.translation.media import Manner, Outcome, Work, amount_of_work, translate_all
from cyclegan.translation.scale import scale_note
from cyclegan.translation.scoring import Scorer, write_scores
from cyclegan.translation.spreading import plan_spread, shown, spread
from cyclegan.translation.tasks import Task, plan_tasks
from cyclegan.translation.translator import Translator, choose_direction
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
    "choose_direction",
    "plan_spread",
    "plan_tasks",
    "scale_note",
    "shown",
    "spread",
    "translate_all",
    "watch",
    "write_scores",
]
