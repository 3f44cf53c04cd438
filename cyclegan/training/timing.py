"""The time that a process spends on a run, and on its steps."""

import time
from collections.abc import Callable


class Stopwatch:
    """Seconds since this process began to work on a run."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter, started: float | None = None) -> None:
        self.clock = clock  # seconds
        self.started = clock() if started is None else started

    def seconds(self) -> float:
        """Return the seconds so far."""
        return self.clock() - self.started


class StepTimer:
    """Times the steps of this process: all of them, and those since the last line of the metrics."""

    def __init__(self, stopwatch: Stopwatch, step: int) -> None:
        self.clock = stopwatch.clock
        self.started_seconds = round(time.time(), 3)  # tells the lines of two processes apart
        self.first_step, self.started = step, self.clock()
        self.line_step, self.line_started = step, self.started

    @property
    def seconds(self) -> float:
        """Seconds since the first step."""
        return self.clock() - self.started

    def line(self, step: int, samples_per_step: int) -> dict[str, float]:
        """Return the times for the line of the metrics that ends after `step` steps, and begin the next line."""
        now = self.clock()
        steps_per_second = (step - self.line_step) / (now - self.line_started)
        self.line_step, self.line_started = step, now
        return {
            "samples_per_second": round(samples_per_step * steps_per_second, 3),
            "elapsed_seconds": round(now - self.started, 3),
            "started_seconds": self.started_seconds,
        }
