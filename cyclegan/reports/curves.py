"""Curves of the losses as inline SVG."""

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 640, 200  # units of the drawing
LEFT, BOTTOM = 44, 22  # room for the numbers on the axes
POINTS = 400  # at most, in a curve
SENSIBLE = 1e30  # what no loss reaches in a game that goes on


def chart(title: str, metrics: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Return a section with the curves of `names` over the steps; nothing where there are fewer than two points."""
    curves = {name: curve for name in names if len(curve := points(metrics, name)) > 1}
    if not curves:
        return ""
    steps = [step for curve in curves.values() for step, _ in curve]
    first, last = min(steps), max(steps)
    top = max(value for curve in curves.values() for _, value in curve) or 1.0

    def place(step: int, value: float) -> str:
        x = LEFT + (step - first) / max(last - first, 1) * (WIDTH - LEFT)
        y = (HEIGHT - BOTTOM) * (1 - max(value, 0.0) / top)
        return f"{x:.1f},{y:.1f}"

    lines = "".join(
        f'<polyline class="curve c{number}" points="{" ".join(place(*point) for point in curve)}"/>'
        for number, curve in enumerate(curves.values())
    )
    legend = "".join(f'<span class="c{number}">{name}</span>' for number, name in enumerate(curves))
    return (
        f'<section><h3>{title}</h3><p class="legend">{legend}</p>'
        f'<svg viewBox="0 -8 {WIDTH} {HEIGHT + 8}" role="img" aria-label="{", ".join(curves)} over the steps">'
        f'<path class="axis" d="M{LEFT} 0V{HEIGHT - BOTTOM}H{WIDTH}"/>'
        f'<text x="{LEFT - 6}" y="6" text-anchor="end">{top:.3g}</text>'
        f'<text x="{LEFT - 6}" y="{HEIGHT - BOTTOM}" text-anchor="end">0</text>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">step {first:,}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{last:,}</text>{lines}</svg></section>'
    )


def points(metrics: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return the steps and values of a loss, thinned to what a screen can show."""
    found = [
        (line["step"], float(value))
        for line in metrics
        if isinstance(value := line.get(name), int | float) and abs(value) < SENSIBLE
    ]
    return found[:: max(1, -(-len(found) // POINTS))]
