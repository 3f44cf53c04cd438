"""Curves over the steps: lines as inline SVG, everything that is read as text beside them."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

POINTS = 300  # at most, in a curve
SENSIBLE = 1e30  # what no loss reaches in a game that goes on
NEAR = 7.0  # percent of the width, within which labels would cover each other
INTERVALS = 4  # between the numbers beside a chart, at most

Metrics = Sequence[dict[str, Any]]
Mark = tuple[str, int]  # a label, and the step it stands at


def chart(
    title: str, metrics: Metrics, names: Sequence[str], marks: Sequence[Mark] = (), *, share: bool = False
) -> str:
    """Return a figure with the curves of `names`; nothing where there are fewer than two points.

    All charts of a run begin at step 0 and end at its last. The scale of a share ends at 1, and one half is drawn.
    """
    curves = {name: curve for name in names if len(curve := points(metrics, name)) > 1}
    if not curves:
        return ""
    last: int = max(line["step"] for line in metrics)
    values = [value for curve in curves.values() for _, value in curve]
    levels = [0.0, 0.5, 1.0] if share else ticks(min(0.0, *values), max(values))
    low, high = levels[0], levels[-1]

    def across(step: int) -> float:
        return 100 * min(max(step, 0) / max(last, 1), 1.0)

    def down(value: float) -> float:
        return 100 * (1 - min(max((value - low) / (high - low), 0.0), 1.0))

    lines = "".join(f'<path d="M0 {down(level):.2f}H100"/>' for level in levels)
    lines += "".join(f'<path class="mark" d="M{across(step):.2f} 0V100"/>' for _, step in marks)
    lines += "".join(
        f'<polyline class="c{number}" points="{drawn((across(step), down(value)) for step, value in curve)}"/>'
        for number, curve in enumerate(curves.values())
    )
    numbers = "".join(f'<span style="top:{down(level):.2f}%">{level:g}</span>' for level in levels)
    return (
        f'<figure class="chart" data-last="{last}"><figcaption>{escape(title)}</figcaption>{legend(curves)}'
        f'<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{", ".join(curves)} over the steps">{lines}</svg><i class="now"></i>'
        f'<div class="levels">{numbers}</div>{labels([(label, across(step)) for label, step in marks])}</div>'
        f'<p class="steps"><span>step 0</span><span>{last:,}</span></p></figure>'
    )


def legend(curves: dict[str, list[tuple[int, float]]]) -> str:
    """Return the names of the curves, each with its last value."""
    return (
        '<ul class="legend">'
        + "".join(
            f'<li class="c{number}">{name} <b>{curve[-1][1]:.3g}</b></li>'
            for number, (name, curve) in enumerate(curves.items())
        )
        + "</ul>"
    )


def labels(places: Sequence[tuple[str, float]]) -> str:
    """Return labels above their places; those that would cover each other are joined."""
    joined: list[tuple[float, list[str]]] = []
    for label, left in places:
        if joined and left - joined[-1][0] < NEAR:
            joined[-1][1].append(label)
        else:
            joined.append((left, [label]))
    return "".join(f'<span class="label" style="left:{left:.2f}%">{in_short(these)}</span>' for left, these in joined)


def in_short(these: Sequence[str]) -> str:
    """Return labels side by side, of many the first and the last."""
    return f"{these[0]} to {these[-1]}" if len(these) > 2 else " ".join(these)


def drawn(places: Iterable[tuple[float, float]]) -> str:
    """Return the points of a polyline."""
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in places)


def points(metrics: Metrics, name: str) -> list[tuple[int, float]]:
    """Return the steps and values of a number; where a screen cannot show them all, means of neighbours."""
    found = [
        (line["step"], float(value))
        for line in metrics
        if isinstance(value := line.get(name), int | float) and abs(value) < SENSIBLE
    ]
    size = max(1, -(-len(found) // POINTS))
    groups = [found[first : first + size] for first in range(0, len(found), size)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers at equal distances, from at most `low` to at least `high`."""
    spread = high - low or abs(high) or 1.0
    unit = math.pow(10.0, math.floor(math.log10(spread / INTERVALS)))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor * INTERVALS >= spread)
    first, last = math.floor(low / step), math.ceil((low + spread) / step)
    return [float(f"{number * step:.6g}") for number in range(first, last + 1)]
