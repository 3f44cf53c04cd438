"""Curves of the losses as inline SVG."""

from collections.abc import Sequence
from typing import Any

Mark = tuple[str, int]  # a label, and the step it stands at

WIDTH, HEIGHT = 640, 200  # units of the drawing
LEFT, BOTTOM = 44, 22  # room for the numbers on the axes
MARGIN = 16  # room for the numbers of the marks, above
POINTS = 400  # at most, in a curve
SENSIBLE = 1e30  # what no loss reaches in a game that goes on


def chart(
    title: str,
    metrics: Sequence[dict[str, Any]],
    names: Sequence[str],
    marks: Sequence[Mark] = (),
    *,
    share: bool = False,
) -> str:
    """Return a section with the curves of `names` over the steps; nothing where there are fewer than two points.

    The scale of a share ends at 1, and one half is drawn.
    """
    curves = {name: curve for name in names if len(curve := points(metrics, name)) > 1}
    if not curves:
        return ""
    steps = [step for curve in curves.values() for step, _ in curve]
    first, last = min(steps), max(steps)
    top = 1.0 if share else max(value for curve in curves.values() for _, value in curve) or 1.0

    def across(step: int) -> float:
        return LEFT + (step - first) / max(last - first, 1) * (WIDTH - LEFT)

    def up(value: float) -> float:
        return (HEIGHT - BOTTOM) * (1 - max(value, 0.0) / top)

    lines = "".join(
        f'<polyline class="curve c{number}" points="'
        f'{" ".join(f"{across(step):.1f},{up(value):.1f}" for step, value in curve)}"/>'
        for number, curve in enumerate(curves.values())
    )
    if share:
        lines += f'<path class="half" d="M{LEFT} {up(0.5):.1f}H{WIDTH}"/>'
        lines += f'<text x="{LEFT - 6}" y="{up(0.5) + 4:.1f}" text-anchor="end">0.5</text>'
    lines += marked([(label, across(step)) for label, step in marks if first <= step <= last])
    legend = "".join(f'<span class="c{number}">{name}</span>' for number, name in enumerate(curves))
    return (
        f'<section><h3>{title}</h3><p class="legend">{legend}</p>'
        f'<svg class="chart" viewBox="0 {-MARGIN} {WIDTH} {HEIGHT + MARGIN}" role="img" '
        f'aria-label="{", ".join(curves)} over the steps">'
        f'<path class="axis" d="M{LEFT} 0V{HEIGHT - BOTTOM}H{WIDTH}"/>'
        f'<text x="{LEFT - 6}" y="6" text-anchor="end">{top:.3g}</text>'
        f'<text x="{LEFT - 6}" y="{HEIGHT - BOTTOM}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">step {first:,}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{last:,}</text>{lines}</svg></section>'
    )


def marked(places: Sequence[tuple[str, float]]) -> str:
    """Return a thin line at each place, labelled above; labels that would cover each other are joined."""
    labels: list[tuple[float, list[str]]] = []
    for label, x in places:
        if labels and x - labels[-1][0] < 18 * len(labels[-1][1]):
            labels[-1][1].append(label)
        else:
            labels.append((x, [label]))
    return "".join(f'<path class="mark" d="M{x:.1f} 0V{HEIGHT - BOTTOM}"/>' for _, x in places) + "".join(
        f'<text x="{min(x, WIDTH - 12):.1f}" y="-4">{" ".join(joined)}</text>' for x, joined in labels
    )


def points(metrics: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return the steps and values of a loss, thinned to what a screen can show."""
    found = [
        (line["step"], float(value))
        for line in metrics
        if isinstance(value := line.get(name), int | float) and abs(value) < SENSIBLE
    ]
    return found[:: max(1, -(-len(found) // POINTS))]
