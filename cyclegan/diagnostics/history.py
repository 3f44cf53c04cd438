"""Statistics over the lines of the metrics so far; a missing number is `math.nan`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Line = Mapping[str, Any]  # of the metrics
History = Sequence[Line]  # the newest last


def within(history: History, steps: int) -> History:
    """Return the lines of the last `steps` steps, at least the last line."""
    now = history[-1]["step"]
    return [line for line in history if line["step"] > now - steps] or history[-1:]


def mean(history: History, name: str, steps: int) -> float:
    """Return the mean of a number over the last `steps` steps; nan if the history is shorter."""
    first, second = history[0]["step"], history[min(1, len(history) - 1)]["step"]
    if history[-1]["step"] - steps < first - (second - first):  # where the first line began
        return math.nan
    values = [line[name] for line in within(history, steps) if name in line]
    return sum(values) / len(values) if values else math.nan


def range_of_last(history: History, name: str, times: int = 2) -> tuple[float, float]:
    """Return the minimum and maximum of the last `times` values of a number; nan if there are fewer."""
    values = [line[name] for line in history if name in line][-times:]
    return (min(values), max(values)) if len(values) == times else (math.nan, math.nan)


def grouped_means(history: History, name: str, steps: int) -> list[float]:
    """Return the means of a number over groups of lines, each of `steps` steps."""
    groups: dict[int, list[float]] = {}
    for line in history:
        if name in line:
            groups.setdefault((line["step"] - 1) // steps, []).append(line[name])
    return [sum(values) / len(values) for values in groups.values()]
