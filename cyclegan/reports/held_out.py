"""The best and worst held-out pictures of the last validation."""

from dataclasses import dataclass
from typing import Any

from cyclegan.checkpoints.records import EXTREMES, read_held_out
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.errors import PictureError
from cyclegan.images import Pixels, read_picture
from cyclegan.reports.samples import EmbeddedPicture, embed


@dataclass(frozen=True)
class Ranking:
    """A number by which held-out pictures are sorted."""

    key: str  # in held_out/*.json
    title: str
    sign: int  # -1: more is better
    factor: float  # between the number and the printed value
    digits: int


RANKINGS = (
    Ranking("cycle_error", "By cycle error: mean difference of input and reconstruction, of 255", 1, 127.5, 1),
    Ranking("score", "By the discriminator's score of the translation", -1, 1.0, 2),
)


@dataclass(frozen=True)
class Example:
    """A held-out picture with its translation and reconstruction."""

    name: str
    picture: EmbeddedPicture
    value: str


@dataclass(frozen=True)
class RankedExamples:
    """The extremes of one ranking."""

    title: str
    best: list[Example]
    worst: list[Example]


@dataclass(frozen=True)
class RankedDirection:
    """The extremes of one direction of translation."""

    source: str
    target: str
    rankings: list[RankedExamples]


@dataclass(frozen=True)
class HeldOut:
    """The contents of held_out/."""

    step: int
    count_a: int = 0
    count_b: int = 0
    directions: tuple[RankedDirection, ...] = ()
    damaged: bool = False


def load_held_out(run: Run, config: Config) -> HeldOut | None:
    """Return the best and the worst held-out pictures by each ranking; None where there are none."""
    step, facts = read_held_out(run)
    if not facts:
        return None
    names = {"a": config.data.name_a, "b": config.data.name_b}
    try:
        grid = read_picture(run.held_out / f"{step:09}.png").pixels
        directions = [
            RankedDirection(
                names[source], names[target], [ranked(facts[source], grid, ranking) for ranking in RANKINGS]
            )
            for source, target in ("ab", "ba")
        ]
        return HeldOut(step, len(facts["a"]), len(facts["b"]), tuple(directions))
    except (PictureError, AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError):
        return HeldOut(step, damaged=True)


def ranked(facts: list[dict[str, Any]], grid: Pixels, ranking: Ranking) -> RankedExamples:
    """Return the extremes of the pictures that have a row in the grid."""
    with_row = [fact for fact in facts if fact["row"] is not None]
    in_order = sorted(with_row, key=lambda fact: ranking.sign * fact[ranking.key])
    count = min(EXTREMES, len(facts) // 2)
    best, worst = in_order[:count], in_order[::-1][:count]
    return RankedExamples(
        ranking.title,
        [example(fact, grid, ranking) for fact in best],
        [example(fact, grid, ranking) for fact in worst],
    )


def example(fact: dict[str, Any], grid: Pixels, ranking: Ranking) -> Example:
    """Return a picture from its row in the grid, which has three columns of squares."""
    side = grid.shape[1] // 3
    row = grid[fact["row"] * side : (fact["row"] + 1) * side]
    if not row.size:
        raise ValueError("the grid has no such row")
    return Example(str(fact["picture"]), embed(row), f"{fact[ranking.key] * ranking.factor:.{ranking.digits}f}")
