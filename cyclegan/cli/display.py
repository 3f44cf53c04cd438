"""The live display of a training: where it is, how fast, how long still, and every loss."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cyclegan.cli.console import duration, tell, terminal
from cyclegan.training.step import LOSS_NAMES

if TYPE_CHECKING:
    from cyclegan.training import Moment, Plan

REFRESH = 0.25  # seconds between two pictures of the display
SHORTEST_PAUSE, LONGEST_PAUSE = 5.0, 60.0  # seconds between two plain lines, which notebooks and logs keep for ever
PAUSE_SHARE = 0.1  # of the time so far: the pauses grow with it


class TrainingDisplay:
    """An observer that shows a bar with the losses on a terminal, and plain lines elsewhere."""

    def __init__(self, plan: "Plan", *, live: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.live: Any = None
        self.clock = clock  # seconds
        self.started = clock()
        self.shown: float | None = None  # when something was shown last
        self.line: dict[str, Any] = {}
        self.validated: dict[str, Any] = {}  # the last line that was
        self.told_validation = self.validated
        self.began: tuple[int, float] | None = None  # step and time of the first step seen
        self.told: list[str] = []  # the remarks that were shown last
        self.epochs = plan.epochs
        if live:
            from rich.live import Live

            self.live = Live(console=terminal(), auto_refresh=False, transient=True)

    def __enter__(self) -> "TrainingDisplay":
        if self.live:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, moment: "Moment") -> None:
        """Show a step."""
        self.began = self.began or (moment.step, self.clock())
        if moment.metrics:
            self.line = moment.metrics
            self.validated = self.line if "validation" in self.line else self.validated
        if not (self.live or moment.metrics) or not (moment.last or self.is_time()):
            return
        self.shown = self.clock()
        if self.live:
            self.live.update(self.picture(moment), refresh=True)
        else:
            self.tell_line(moment)

    def is_time(self) -> bool:
        """Tell whether the pause since what was shown last is over."""
        now = self.clock()
        pause = min(max(SHORTEST_PAUSE, PAUSE_SHARE * (now - self.started)), LONGEST_PAUSE)
        return self.shown is None or now - self.shown >= (REFRESH if self.live else pause)

    def tell_line(self, moment: "Moment") -> None:
        """Print where the training is, and what is new since the line before."""
        tell(f"{self.position(moment)} · {losses_in_a_line(self.line)} · {health_in_a_line(self.line)}")
        if self.validated is not self.told_validation:
            tell(f"  {validation_in_a_line(self.validated)}")
            self.told_validation = self.validated
        self.tell_remarks()

    def tell_remarks(self) -> None:
        """Print the doctor's remarks, once for as long as they stay the same."""
        findings = self.line.get("health", {}).get("findings", [])
        names = [f"{finding['verdict']} {finding['name']} {finding['about']}" for finding in findings]
        for name, remark in zip(names, remarks(self.line), strict=True):
            if name not in self.told:
                tell(f"  {remark}")
        self.told = names

    def position(self, moment: "Moment") -> str:
        """Return epoch, step, speed and time left."""
        total = moment.plan.total_steps
        text = f"epoch {moment.epoch}/{self.epochs} · step {moment.step:,}/{total:,}"
        if rate := self.line.get("pairs_per_second"):
            text += f" · {rate:.2f} pairs/s"
        if self.began and moment.step > self.began[0]:
            per_step = (self.clock() - self.began[1]) / (moment.step - self.began[0])
            text += f" · {duration((total - moment.step) * per_step)} left"
        return text

    def picture(self, moment: "Moment") -> Any:
        """Return what the terminal shows."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        losses = Table.grid(padding=(0, 3))
        for pair in zip(LOSS_NAMES[::2], LOSS_NAMES[1::2], strict=True):
            if pair[0] in self.line or pair[1] in self.line:
                losses.add_row(*[f"{name:<13} {self.line[name]:8.4f}" for name in pair if name in self.line])
        bar = Table.grid()  # a bare bar ends without a new line
        bar.add_row(ProgressBar(total=moment.plan.total_steps, completed=moment.step, width=60))
        health = [Text(health_in_a_line(self.line))] if "health" in self.line else []
        validated = [Text(validation_in_a_line(self.validated))] if self.validated else []
        return Group(Text(self.position(moment)), bar, losses, *validated, *health, *map(Text, remarks(self.line)))


def losses_in_a_line(line: dict[str, Any]) -> str:
    """Return every loss with its name."""
    return "  ".join(f"{name} {line[name]:.3f}" for name in LOSS_NAMES if name in line)


def validation_in_a_line(line: dict[str, Any]) -> str:
    """Return how far held-out translations are from real images, how faithful, and whether they are the best."""
    distances = " ".join(f"{way} {line[f'swd_{way}']:.3f}" for way in ("a2b", "b2a"))
    kept = " ".join(f"{side} {line[f'faithfulness_{side}']:.2f}" for side in "ab")
    standing = "kept as the best" if line["best_step"] == line["step"] else f"the best is of epoch {line['best_epoch']}"
    return f"validation {line['validation']:.3f} (distance {distances}, faithfulness {kept}) · {standing}"


def health_in_a_line(line: dict[str, Any]) -> str:
    """Return how often each discriminator guesses right, and the doctor's verdict."""
    rates = " ".join(f"{side} {line[name]:.0%}" for side in "ab" if (name := f"right_guesses_{side}") in line)
    return f"right guesses {rates} (ideal 50%) · health {line['health']['verdict']}"


def remarks(line: dict[str, Any]) -> list[str]:
    """Return what the doctor finds and advises, one line each."""
    findings = line.get("health", {}).get("findings", [])
    return [f"{finding['verdict']}: {finding['reason']} {finding['remedy']}" for finding in findings]
