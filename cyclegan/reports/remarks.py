"""What the doctor remarked in the course of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from cyclegan.errors import printable
from cyclegan.reports.curves import Mark

MOST = 40  # remarks that are shown
BREAK = 5  # lines without a finding, after which it is a new remark
IN_WORDS = {
    "fine": "The game is in balance, as far as numbers tell",
    "watch": "Something is worth watching",
    "stop": "This is not going well: stop",
}


@dataclass(frozen=True)
class Remark:
    """A finding, and the steps of the first line and of the last that had it, without a long break."""

    step: int
    until: int
    verdict: str
    text: str


def collect_remarks(metrics: Sequence[dict[str, Any]]) -> list[Remark]:
    """Return each finding once for as long as it lasted, in the order of their beginnings."""
    lasting: dict[tuple[str, str, str], Remark] = {}
    seen: dict[tuple[str, str, str], int] = {}  # in which line it was found last
    over: list[Remark] = []
    for number, line in enumerate(metrics):
        over += [lasting.pop(key) for key in list(lasting) if number - seen[key] > BREAK]
        for finding in findings_of(line):
            key = finding["verdict"], finding["name"], finding["about"]
            begun = lasting[key].step if key in lasting else line["step"]
            lasting[key] = Remark(begun, line["step"], key[0], f"{finding['reason']} {finding['suggestion']}")
            seen[key] = number
    return sorted([*over, *lasting.values()], key=lambda remark: remark.step)[:MOST]


def findings_of(line: dict[str, Any]) -> list[dict[str, str]]:
    """Return the findings of a line of the metrics; what is damaged is left out."""
    health = line.get("health")
    found = health.get("findings") if isinstance(health, dict) else None
    wanted = ("name", "about", "verdict", "reason", "suggestion")
    return [
        {name: str(finding[name]) for name in wanted}
        for finding in (found if isinstance(found, list) else [])
        if isinstance(finding, dict) and all(name in finding for name in wanted)
    ]


def verdict_of(line: dict[str, Any]) -> str:
    """Return the doctor's verdict in a line of the metrics; nothing where it has none that is known."""
    health = line.get("health")
    verdict = health.get("verdict") if isinstance(health, dict) else None
    return verdict if verdict in IN_WORDS else ""


def verdict_section(metrics: Sequence[dict[str, Any]]) -> str:
    """Return how the game stands now, why, and what to do."""
    last: dict[str, Any] = next((line for line in reversed(metrics) if verdict_of(line)), {})
    if not last:
        return '<section class="verdict"><h2>Not examined yet</h2></section>'
    verdict = verdict_of(last)
    findings = "".join(
        f"<p>{escape(printable(finding['reason']))} <b>{escape(printable(finding['suggestion']))}</b></p>"
        for finding in findings_of(last)
    )
    return (
        f'<section class="verdict {verdict}"><h2><span class="badge">{verdict}</span>{IN_WORDS[verdict]}</h2>'
        f"{findings}</section>"
    )


def remarks_section(remarks: Sequence[Remark]) -> str:
    """Return the remarks as a numbered list; the numbers are those in the curves."""
    if not remarks:
        return "<p>The doctor has nothing to remark on this run.</p>"
    items = "".join(
        f'<li><span class="badge {remark.verdict if remark.verdict in IN_WORDS else ""}">'
        f"{escape(printable(remark.verdict))}</span> <b>{steps(remark)}</b> {escape(printable(remark.text))}</li>"
        for remark in remarks
    )
    return (
        '<p class="soft">In the course of this run; the numbers stand at their places in the curves.</p>'
        f'<ol class="remarks">{items}</ol>'
    )


def marks_of(remarks: Sequence[Remark]) -> list[Mark]:
    """Return the numbers of the list, at the steps where they stand in the curves."""
    return [(str(number), remark.step) for number, remark in enumerate(remarks, 1)]


def steps(remark: Remark) -> str:
    """Return from when to when a remark held."""
    if remark.until > remark.step:
        return f"steps {remark.step:,} to {remark.until:,}"
    return f"step {remark.step:,}"
