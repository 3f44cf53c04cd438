"""Training: the step, the loop around it, and its callbacks."""

from cyclegan.training.continuing import check_continuation
from cyclegan.training.distillation import student_settings
from cyclegan.training.distributed import Ranks
from cyclegan.training.fabric import join_ranks, started_processes, with_device_count
from cyclegan.training.inputs import Callback, StepInfo, TrainInputs
from cyclegan.training.loop import TrainResult, train_locked
from cyclegan.training.run import load_inputs, train_run
from cyclegan.training.timing import Stopwatch

__all__ = [
    "Callback",
    "Ranks",
    "StepInfo",
    "Stopwatch",
    "TrainInputs",
    "TrainResult",
    "check_continuation",
    "join_ranks",
    "load_inputs",
    "started_processes",
    "student_settings",
    "train_locked",
    "train_run",
    "with_device_count",
]
