"""Translation: redrawing pictures of any size, and folders of them."""

from cyclegan.translation.media import Manner, Outcome, Task, plan_tasks, translate_all
from cyclegan.translation.translator import Direction, Translator, choose_direction

__all__ = [
    "Direction",
    "Manner",
    "Outcome",
    "Task",
    "Translator",
    "choose_direction",
    "plan_tasks",
    "translate_all",
]
