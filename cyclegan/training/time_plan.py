"""The plan of a run that fits itself to a time (`schedule.hours`).

The learning rate follows the share of the time that is used: full at first, then falling linearly to zero. A step must
not ask a clock, or no continuation could repeat it. So a plan says how many steps the run has, and until the next plan
the share grows evenly with the steps. Only where a line of the metrics ends may a new plan replace the old one: if, at
the speed seen, the run would end too early or too late. The plan is part of the saved state, so a continuation repeats
every step until the plan changes.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cyclegan.text import duration
from cyclegan.training.distributed import Ranks
from cyclegan.training.timing import Stopwatch

END_TOLERANCE = 0.01  # of the time, by which a run may end early or late before it is planned anew
SPEED_WINDOW = 0.1  # of the time, over which the speed is averaged
END_SHARE, MAX_END_SECONDS = 0.05, 10.0  # of the time, left for the last save and the report
FIRST_GUESS = 0.01  # seconds per step until they are measured: so short that the rate does not fall before


@dataclass
class TimePlan:
    """The number of steps that fit into the time, and the point at which that was found."""

    seconds: float  # that the run may take
    decay_share: float  # of the run; in it the learning rate falls
    total_steps: int = 0  # of the whole run
    step: int = 0  # steps done when this was planned
    progress: float = 0.0  # share of the time that was used then
    used_before: float = 0.0  # seconds at work of the processes before this one
    used: float = 0.0  # seconds at work so far

    @classmethod
    def from_hours(cls, hours: float, decay_share: float) -> "TimePlan":
        """Return the first plan of a run, by a guess of its speed."""
        plan = cls(hours * 3600, decay_share)
        plan.replan(0, FIRST_GUESS)
        return plan

    @property
    def last_step_due(self) -> float:
        """Seconds after which the last step is to be done, with time left for what follows it."""
        return self.seconds - min(END_SHARE * self.seconds, MAX_END_SECONDS)

    @property
    def seconds_left(self) -> float:
        """Seconds that are left for steps."""
        return max(self.last_step_due - self.used, 0.0)

    def update_used_time(self, stopwatch: Stopwatch) -> None:
        """Add the time of this process up to now to that of those before it."""
        self.used = self.used_before + stopwatch.seconds()

    def replan(self, step: int, seconds_per_step: float) -> None:
        """Plan anew after `step` steps: as many more as the rest of the time allows."""
        self.total_steps = max(step + round(self.seconds_left / seconds_per_step), 1)
        self.step, self.progress = step, min(self.used / self.last_step_due, 1.0)

    def is_off(self, step: int, seconds_per_step: float) -> bool:
        """Tell whether, at this speed, the run would end too early or too late."""
        expected = (self.total_steps - step) * seconds_per_step
        return abs(expected - (self.last_step_due - self.used)) > END_TOLERANCE * self.seconds

    def learning_rate_factor(self, step: int) -> float:
        """Return the factor of the learning rate of a step, counted from 0; the one after the last would be zero."""
        share_done = (step - self.step) / max(self.total_steps - self.step, 1)
        left = (1 - self.progress) * (1 - min(share_done, 1.0))
        return min(left / self.decay_share, 1.0) if self.decay_share else 1.0

    def describe_rest(self) -> str:
        """Return how much of the time is left, and until when."""
        left = max(self.seconds - self.used, 0.0)
        end = datetime.now() + timedelta(seconds=left)
        return f"{duration(left)} of {duration(self.seconds)} left, until {end:%H:%M}"

    def state_dict(self) -> dict[str, Any]:
        """Return the plan as a saved state holds it."""
        return asdict(self)

    def resume(self, saved: Mapping[str, Any] | None, step: int) -> None:
        """Go back to the plan of a saved state; plan anew if the time has changed, or begins with this process."""
        if saved is None:  # the run was planned in epochs before
            self.replan(step, FIRST_GUESS)
            return
        self.total_steps, self.step = int(saved["total_steps"]), int(saved["step"])
        self.progress, self.used = float(saved["progress"]), float(saved["used"])
        self.used_before = self.used
        if (saved["seconds"], saved["decay_share"]) != (self.seconds, self.decay_share):
            self.replan(step, max(self.used, FIRST_GUESS) / max(step, 1))


@dataclass
class TimeKeeper:
    """Counts the time at work of one process, and revises the plan of its run."""

    plan: TimePlan
    stopwatch: Stopwatch
    step: int  # at which this process begins
    lines: deque[tuple[int, float]] = field(init=False)  # step and seconds of the recent lines of the metrics

    def __post_init__(self) -> None:
        self.lines = deque([(self.step, self.stopwatch.seconds())])

    def after_step(self, step: int, ranks: Ranks, *, logged: bool) -> None:
        """Count the time; revise the plan where a line ends, and nowhere else, so that its steps can be repeated."""
        self.plan.update_used_time(self.stopwatch)
        if logged:
            self.revise(step, ranks)

    def revise(self, step: int, ranks: Ranks) -> None:
        """Plan anew at the end of a line if the run would end too early or too late; the first rank decides for all."""
        now = self.stopwatch.seconds()
        self.lines.append((step, now))
        window = min(SPEED_WINDOW * self.plan.seconds, self.plan.seconds_left)
        while len(self.lines) > 2 and now - self.lines[1][1] >= window:
            self.lines.popleft()
        first_step, first = self.lines[0]
        seconds_per_step = (now - first) / (step - first_step)
        if ranks.is_first and self.plan.is_off(step, seconds_per_step):
            self.plan.replan(step, seconds_per_step)
        for name, value in ranks.broadcast(self.plan.state_dict()).items():
            setattr(self.plan, name, value)
