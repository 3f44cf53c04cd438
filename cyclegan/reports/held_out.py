"""The best and worst of the held-out pictures, as validation last saw them."""

from dataclasses import dataclass
from html import escape
from typing import Any

from cyclegan.checkpoints.records import EXTREMES, read_held_out
from cyclegan.checkpoints.run import Run
from cyclegan.config import Config
from cyclegan.errors import PictureError, printable
from cyclegan.images import Pixels, read_picture
from cyclegan.reports.pictures import headings, picture, shown_names

GREY_LEVELS = 127.5  # of 255, in one unit of the networks' pixels


@dataclass(frozen=True)
class Number:
    """A number by which held-out pictures are sorted."""

    key: str
    title: str
    sign: int  # -1 where more is better
    unit: float
    digits: int


NUMBERS = (
    Number(
        "cycle_error", "By cycle error: grey levels of 255 between the original and what came back", 1, GREY_LEVELS, 1
    ),
    Number("score", "By score: how real the discriminator takes the translation to be", -1, 1.0, 2),
)


def held_out_section(run: Run, config: Config) -> str:
    """Return the best and the worst held-out pictures by each number; nothing where there are none."""
    step, facts = read_held_out(run)
    if not facts:
        return ""
    a, b = shown_names(config)
    try:
        grid = read_picture(run.held_out / f"{step:09}.png").pixels
        ways = [
            f"<h3>{source} to {target}</h3>"
            + "".join(both_ends(facts[side], grid, number, headings(source, target)) for number in NUMBERS)
            for side, source, target in (("a", a, b), ("b", b, a))
        ]
    except (PictureError, AttributeError, KeyError, TypeError, ValueError, IndexError, OverflowError):
        return "<section><h2>Held-out pictures</h2><p>What is in held_out/ is damaged.</p></section>"
    return (
        f'<section><h2>Held-out pictures</h2><p class="soft">The best and worst of {len(facts["a"])} of {a} '
        f"and {len(facts['b'])} of {b} that were never trained on, at step {step:,}.</p>{''.join(ways)}</section>"
    )


def both_ends(facts: list[dict[str, Any]], grid: Pixels, number: Number, columns: str) -> str:
    """Return the best beside the worst by a number."""
    drawn = sorted((fact for fact in facts if fact["row"] is not None), key=lambda fact: number.sign * fact[number.key])
    count = min(EXTREMES, len(facts) // 2)
    ends = "".join(
        f'<figure class="triples"><h5>{name}</h5>{columns}{"".join(one(fact, grid, number) for fact in these)}</figure>'
        for name, these in (("Best", drawn[:count]), ("Worst", drawn[::-1][:count]))
    )
    return f'<h4>{number.title}</h4><div class="ends">{ends}</div>'


def one(fact: dict[str, Any], grid: Pixels, number: Number) -> str:
    """Return a picture, what it became, and its number."""
    side = grid.shape[1] // 3
    name = escape(printable(fact["picture"]))
    row = grid[fact["row"] * side : (fact["row"] + 1) * side]
    if not row.size:
        raise ValueError("the grid has no such row")
    value = f"{fact[number.key] * number.unit:.{number.digits}f}"
    return f'{picture(row, name)}<p class="name"><span>{name}</span><b>{value}</b></p>'
