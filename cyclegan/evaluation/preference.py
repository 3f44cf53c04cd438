"""Which of two candidates people prefer, by the answers that rating sheets saved."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan.errors import DataError
from cyclegan.evaluation.intervals import Interval, proportion_interval
from cyclegan.text import printable

ANSWERS = ("left", "right", "none")  # none: no difference
MAX_BYTES = 10_000_000  # of a file of answers; those of a sheet with 1,000 trials have 100 kB


@dataclass(frozen=True)
class Answers:
    """The answers of one person to one sheet."""

    path: Path
    sheet: str  # identifier
    rater: str  # random identifier
    candidates: tuple[str, str]
    lefts: list[int]  # index of the candidate on the left, of each trial
    answers: list[str | None]  # to each trial; None: not answered

    def preferred(self, first: str) -> list[int | None]:
        """Return which candidate each answer prefers: 0 is that named `first`, None no difference."""
        swap = int(self.candidates[0] != first)
        return [
            None if answer == "none" else left ^ (answer == "right") ^ swap
            for left, answer in zip(self.lefts, self.answers, strict=True)
            if answer
        ]


@dataclass(frozen=True)
class Preference:
    """How often each of two candidates was preferred."""

    candidates: tuple[str, str]
    preferred: tuple[int, int]  # answers in favour of each
    no_difference: int
    unanswered: int
    left: int  # answers in favour of the picture on the left
    files: int  # each of one person

    @property
    def decided(self) -> int:
        """The number of answers in favour of one of the two."""
        return sum(self.preferred)

    @property
    def share(self) -> float | None:
        """The share of the first candidate in the decided answers; None without any."""
        return self.preferred[0] / self.decided if self.decided else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % confidence interval of `share`, which takes the answers as independent."""
        return proportion_interval(self.preferred[0], self.decided)

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.interval is None:
            return "No answer decides for one of the two."
        if self.interval.low <= 0.5 <= self.interval.high:
            return "The interval holds 50 %: these answers do not say which of the two people prefer."
        return f"People prefer {printable(self.candidates[0 if self.interval.low > 0.5 else 1])}."

    @property
    def notes(self) -> list[str]:
        """Facts to know about the interval."""
        if self.files < 2:
            return ["these are the answers of one person: the interval says nothing about other people."]
        return [
            "answers of one person, or about one photograph, resemble each other, and the interval takes them as "
            "independent: it is rather too narrow."
        ]


def read_preference(files: Sequence[Path]) -> Preference:
    """Return the preference by all answers in these files, which must be of the same two candidates."""
    answers = [read_answers(path) for path in files]
    first, second = answers[0].candidates
    seen: dict[tuple[str, str], Path] = {}
    for one in answers:
        if set(one.candidates) != {first, second}:
            raise DataError(
                f"{printable(one.path)} compares {names_of_both(one.candidates)}, and {printable(files[0])} "
                f"{names_of_both((first, second))}.",
                "Name files about the same two.",
            )
        before = seen.setdefault((one.sheet, one.rater), one.path)
        if before is not one.path:
            raise DataError(
                f"{printable(before)} and {printable(one.path)} hold the answers of one person to one sheet.",
                "Leave out the older one.",
            )
    choices = [choice for one in answers for choice in one.preferred(first)]
    given = [answer for one in answers for answer in one.answers]
    return Preference(
        (first, second),
        (choices.count(0), choices.count(1)),
        no_difference=given.count("none"),
        unanswered=given.count(None),
        left=given.count("left"),
        files=len(files),
    )


def names_of_both(candidates: tuple[str, str]) -> str:
    """Return both names, as one reads them after "compares"."""
    return " with ".join(map(printable, candidates))


def read_answers(path: Path) -> Answers:
    """Read a file that a rating sheet saved."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too large")
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["kind"] != "cyclegan ratings" or saved["format"] != 1:
            raise ValueError("another kind")
        key = json.loads(base64.b64decode(saved["key"], validate=True))
        return checked_answers(path, saved, key)
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, FileNotFoundError):
            raise DataError(f"there is no file {printable(path)}.", "Check the path.") from error
        reason = f": {printable(error)}" if type(error) is ValueError else ""
        raise DataError(
            f"{printable(path)} holds no answers of a rating sheet{reason}.",
            "Name files that the page of a sheet saved.",
        ) from error


def checked_answers(path: Path, saved: dict[str, Any], key: dict[str, Any]) -> Answers:
    """Return the answers, or raise an error of Python where a value is not as a sheet writes it."""
    first, second = map(str, key["candidates"])
    lefts = [left for _, left in key["trials"]]
    answers: list[str | None] = saved["answers"]
    if not isinstance(answers, list) or len(answers) != len(lefts):
        raise ValueError("another number of answers")
    if not all(left in (0, 1) for left in lefts) or not all(answer in (None, *ANSWERS) for answer in answers):
        raise ValueError("unknown answers")
    return Answers(path, str(saved["sheet"]), str(saved["rater"]), (first, second), lefts, answers)
