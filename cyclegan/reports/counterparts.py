"""Errors of the translations, where the true counterparts are known."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ErrorRow:
    """Mean absolute differences of one direction, as text."""

    source: str
    target: str
    error: str
    unchanged: str  # of the inputs themselves
    ratio: str


@dataclass(frozen=True)
class CounterpartErrors:
    """The contents of evaluation.json."""

    pictures: int = 0
    rows: tuple[ErrorRow, ...] = ()
    damaged: bool = False


def counterpart_errors(evaluation: dict[str, Any]) -> CounterpartErrors | None:
    """Return the errors in an evaluation; None where there is no evaluation."""
    if not evaluation:
        return None
    try:
        rows = [
            ErrorRow(str(row["from"]), str(row["to"]), *(f"{row[key]:.2f}" for key in ("error", "unchanged", "ratio")))
            for row in evaluation["directions"]
        ]
        return CounterpartErrors(int(evaluation["pictures"]), tuple(rows))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return CounterpartErrors(damaged=True)
