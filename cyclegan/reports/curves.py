"""Charts of the metrics over the steps: positions for SVG lines, and the text beside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cyclegan.losses import GENERATOR_TERMS, LOSS_NAMES
from cyclegan.reports.facts import best_steps

MAX_POINTS = 300  # of a curve
MAX_PLOTTED_VALUE = 1e30  # larger only where training diverged
MIN_LABEL_DISTANCE = 7.0  # percent of the width; closer labels would overlap
MAX_INTERVALS = 4  # between the ticks of a chart

Metrics = Sequence[dict[str, Any]]
Mark = tuple[str, int]  # label and step
Points = list[tuple[int, float]]  # steps and values


@dataclass(frozen=True)
class Panel:
    """The title and the metrics of a chart."""

    title: str
    names: tuple[str, ...]
    is_share: bool = False  # from 0 to 1, with a line at one half


def loss_panels() -> tuple[Panel, ...]:
    """Return a panel for each term of the loss; the discriminators' losses stand beside the adversarial ones."""
    titles = {"gan": "Adversarial losses", "distill": "Distillation losses"}
    names = {term: tuple(name for name in LOSS_NAMES if name.startswith(f"{term}_")) for term in GENERATOR_TERMS}
    names["gan"] += ("disc_a", "disc_b")
    return tuple(Panel(titles.get(term, f"{term.capitalize()} losses"), names[term]) for term in GENERATOR_TERMS)


VALIDATION_PANELS = (
    Panel("Distance of held-out translations from real images (lower is better)", ("swd_a2b", "swd_b2a")),
    Panel(
        "Error of held-out pairs: difference of translation and truth, of 255", ("truth_error_a2b", "truth_error_b2a")
    ),
    Panel("Faithfulness: structural similarity of translation and input", ("faithfulness_a", "faithfulness_b")),
)
PANELS = (
    Panel("Discriminator accuracy (ideal: one half)", ("disc_accuracy_a", "disc_accuracy_b"), is_share=True),
    *loss_panels(),
    Panel("Scores by disc_a", ("real_score_a", "fake_score_a", "trained_score_a", "held_out_score_a")),
    Panel("Scores by disc_b", ("real_score_b", "fake_score_b", "trained_score_b", "held_out_score_b")),
    Panel("Diversity of translations (1: that of real images)", ("diversity_a2b", "diversity_b2a")),
    Panel("Change by translation (1: the difference between the domains)", ("change_a2b", "change_b2a")),
    Panel("Learning rate", ("learning_rate",)),
    Panel("Samples per second", ("samples_per_second",)),
)


@dataclass(frozen=True)
class Curve:
    """A line of a chart."""

    name: str
    last_value: str
    points: str  # of an SVG polyline, in percent of the chart


@dataclass(frozen=True)
class Label:
    """Text at a position."""

    text: str
    position: str  # percent, of the width from the left or of the height from the top


@dataclass(frozen=True)
class Chart:
    """A chart, ready to be drawn; all charts of a run span its steps from 0 to the last."""

    title: str
    last_step: int
    curves: tuple[Curve, ...]
    ticks: tuple[Label, ...]
    marks: tuple[str, ...]  # positions of vertical lines
    labels: tuple[Label, ...]  # of these


def all_charts(metrics: Metrics, marks: Sequence[Mark]) -> list[Chart]:
    """Return all charts that have curves; charts of the validation mark its best steps instead of `marks`."""
    steps = best_steps(metrics)
    best = [(f"best {direction}", step) for direction, step in sorted(steps.items(), key=lambda item: item[1])]
    if len(set(steps.values())) == 1:
        best = [("best", step) for _, step in best[:1]]
    charts = [
        *(make_chart(panel, metrics, best) for panel in VALIDATION_PANELS),
        *(make_chart(panel, metrics, marks) for panel in PANELS),
    ]
    return [chart for chart in charts if chart is not None]


def make_chart(panel: Panel, metrics: Metrics, marks: Sequence[Mark] = ()) -> Chart | None:
    """Return a chart of the metrics of a panel; None where each has fewer than two points."""
    curves = {name: curve for name in panel.names if len(curve := points(metrics, name)) > 1}
    if not curves:
        return None
    last_step: int = max(line["step"] for line in metrics)
    values = [value for curve in curves.values() for _, value in curve]
    tick_values = [0.0, 0.5, 1.0] if panel.is_share else ticks(min(0.0, *values), max(values))
    low, high = tick_values[0], tick_values[-1]

    def from_left(step: int) -> float:
        return 100 * min(max(step, 0) / max(last_step, 1), 1.0)

    def from_top(value: float) -> float:
        return 100 * (1 - min(max((value - low) / (high - low), 0.0), 1.0))

    return Chart(
        title=panel.title,
        last_step=last_step,
        curves=tuple(
            Curve(
                name,
                f"{curve[-1][1]:.3g}",
                " ".join(f"{from_left(step):.2f},{from_top(value):.2f}" for step, value in curve),
            )
            for name, curve in curves.items()
        ),
        ticks=tuple(Label(f"{value:g}", f"{from_top(value):.2f}") for value in tick_values),
        marks=tuple(f"{from_left(step):.2f}" for _, step in marks),
        labels=joined_labels([(text, from_left(step)) for text, step in marks]),
    )


def joined_labels(labels: Sequence[tuple[str, float]]) -> tuple[Label, ...]:
    """Return labels at their positions, from left to right; overlapping ones are joined."""
    groups: list[tuple[float, list[str]]] = []
    for text, position in labels:
        if groups and position - groups[-1][0] < MIN_LABEL_DISTANCE:
            groups[-1][1].append(text)
        else:
            groups.append((position, [text]))
    return tuple(
        Label(f"{texts[0]} to {texts[-1]}" if len(texts) > 2 else " ".join(texts), f"{position:.2f}")
        for position, texts in groups
    )


def points(metrics: Metrics, name: str) -> Points:
    """Return the steps and values of a metric; of more than `MAX_POINTS`, means of neighbours."""
    all_points = [
        (line["step"], float(value))
        for line in metrics
        if isinstance(value := line.get(name), int | float) and abs(value) < MAX_PLOTTED_VALUE
    ]
    size = max(1, math.ceil(len(all_points) / MAX_POINTS))
    groups = [all_points[first : first + size] for first in range(0, len(all_points), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers at equal distances, from at most `low` to at least `high`."""
    span = high - low or abs(high) or 1.0
    unit = math.pow(10.0, math.floor(math.log10(span / MAX_INTERVALS)))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor * MAX_INTERVALS >= span)
    first, last = math.floor(low / step), math.ceil((low + span) / step)
    return [float(f"{number * step:.6g}") for number in range(first, last + 1)]
