"""The live display of a training: position, speed, time left, and every loss."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclegan.cli.console import tell, terminal
from cyclegan.losses import LOSS_NAMES
from cyclegan.text import duration

if TYPE_CHECKING:
    from cyclegan.training import StepInfo
    from cyclegan.training.state import TrainState
    from cyclegan.training.time_plan import TimePlan

REFRESH_SECONDS = 0.25  # between two updates of a bar
MIN_PAUSE, MAX_PAUSE = 5.0, 60.0  # seconds between two plain lines, which notebooks and logs store
PAUSE_SHARE = 0.1  # of the time so far: the pauses grow with it


class TrainingDisplay:
    """A callback that shows a bar with the losses on a terminal, and plain lines elsewhere."""

    def __init__(self, *, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_live = live
        self.live: Any = None  # rich's display, from the first step on
        self.clock = clock  # seconds
        self.started = clock()
        self.refreshed: float | None = None  # time of the last update
        self.plan: TimePlan | None = None  # where the run fits itself to a time
        self.line: dict[str, Any] = {}
        self.validated: dict[str, Any] = {}  # the last line with validation
        self.printed_validation = self.validated
        self.first: tuple[int, float] | None = None  # step number and time of the first step
        self.printed: list[str] = []  # the findings that were printed last

    def __enter__(self) -> "TrainingDisplay":
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, state: "TrainState", info: "StepInfo") -> None:
        """Show a step."""
        self.plan = state.plan
        self.first = self.first or (info.step, self.clock())
        if info.metrics:
            self.line = info.metrics
            self.validated = self.line if "validation" in self.line else self.validated
        if not self.is_due(info):
            return
        self.refreshed = self.clock()
        if self.is_live:
            self.live = self.live or started_live()
            self.live.update(self.renderable(info), refresh=True)
        else:
            self.print_line(info)

    def is_due(self, info: "StepInfo") -> bool:
        """Tell whether an update is due: on a terminal very often, elsewhere with the metrics, which may be far apart.

        The first step always is shown, so that a slow machine is not silent for minutes.
        """
        now = self.clock()
        since = math.inf if self.refreshed is None else now - self.refreshed
        if self.is_live:
            return info.last or since >= REFRESH_SECONDS
        pause = min(max(MIN_PAUSE, PAUSE_SHARE * (now - self.started)), MAX_PAUSE)
        return (info.last or since >= pause) if info.metrics else since >= MAX_PAUSE

    def print_line(self, info: "StepInfo") -> None:
        """Print a plain line of the metrics, and findings that are new; between metrics, the position alone."""
        if not info.metrics:
            tell(self.position(info))
            return
        tell(f"{self.position(info)} · {losses_in_a_line(self.line)} · {health_in_a_line(self.line)}")
        if self.validated is not self.printed_validation:
            tell(f"  {validation_in_a_line(self.validated)}")
            self.printed_validation = self.validated
        findings = self.line.get("health", {}).get("findings", [])
        names = [f"{finding['verdict']} {finding['name']} {finding['about']}" for finding in findings]
        for name, text in zip(names, findings_in_lines(self.line), strict=True):
            if name not in self.printed:
                tell(f"  {text}")
        self.printed = names

    def position(self, info: "StepInfo") -> str:
        """Return epoch, step, speed and time left."""
        text = f"epoch {info.epoch}/{info.total_epochs} · step {info.step:,}/{info.total_steps:,}"
        if speed := self.line.get("samples_per_second"):
            text += f" · {speed:.2f} samples/s"
        if self.plan:
            text += f" · {duration(self.plan.seconds_left)} left"
        elif self.first and info.step > self.first[0]:
            per_step = (self.clock() - self.first[1]) / (info.step - self.first[0])
            text += f" · {duration((info.total_steps - info.step) * per_step)} left"
        return text

    def renderable(self, info: "StepInfo") -> Any:
        """Return what the terminal shows."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        losses = Table.grid(padding=(0, 3))
        cells = [f"{name:<13} {self.line[name]:8.4f}" for name in LOSS_NAMES if name in self.line]
        for start in range(0, len(cells), 2):
            losses.add_row(*cells[start : start + 2])
        bar = Table.grid()  # a bare bar ends without a new line
        bar.add_row(ProgressBar(total=info.total_steps, completed=info.step, width=60))
        health = [Text(health_in_a_line(self.line))] if "health" in self.line else []
        validated = [Text(validation_in_a_line(self.validated))] if self.validated else []
        return Group(
            Text(self.position(info)), bar, losses, *validated, *health, *map(Text, findings_in_lines(self.line))
        )


def started_live() -> Any:
    """Return rich's live display on standard error, started."""
    from rich.live import Live

    live = Live(console=terminal(), auto_refresh=False, transient=True)
    live.start()
    return live


def losses_in_a_line(line: dict[str, Any]) -> str:
    """Return every loss with its name."""
    return "  ".join(f"{name} {line[name]:.3f}" for name in LOSS_NAMES if name in line)


def validation_in_a_line(line: dict[str, Any]) -> str:
    """Return the validation scores, and which networks of each direction are the best."""
    distances = " ".join(f"{name} {line[f'swd_{name}']:.3f}" for name in ("a2b", "b2a"))
    faithfulness = " ".join(f"{domain} {line[f'faithfulness_{domain}']:.2f}" for domain in "ab")
    errors = " ".join(f"{name} {line[key]:.1f}" for name in ("a2b", "b2a") if (key := f"truth_error_{name}") in line)
    best = " · ".join(
        f"new best {name}" if line[f"best_step_{name}"] == line["step"] else f"best {name}: epoch {epoch}"
        for name in ("a2b", "b2a")
        for epoch in [line[f"best_epoch_{name}"]]
    )
    scores = f"distance {distances}, faithfulness {faithfulness}" + f", error of pairs {errors} of 255" * bool(errors)
    return f"validation {line['validation']:.3f} ({scores}) · {best}"


def health_in_a_line(line: dict[str, Any]) -> str:
    """Return the accuracy of each discriminator, and the verdict of diagnostics."""
    rates = " ".join(f"{domain} {line[name]:.0%}" for domain in "ab" if (name := f"disc_accuracy_{domain}") in line)
    return f"discriminator accuracy {rates} (ideal 50%) · health {line['health']['verdict']}"


def findings_in_lines(line: dict[str, Any]) -> list[str]:
    """Return each finding with its suggestion, one line each."""
    findings = line.get("health", {}).get("findings", [])
    return [f"{finding['verdict']}: {finding['reason']} {finding['suggestion']}" for finding in findings]
