"""Findings of the diagnostics in the course of a run, from its metrics file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_FINDINGS = 40  # in a report
MAX_GAP = 5  # lines without a finding, after which the same finding counts as a new one
SUMMARIES = {  # by verdict
    "fine": "Training looks healthy",
    "watch": "Something is worth watching",
    "stop": "Training is not going well: stop",
}


@dataclass(frozen=True)
class LoggedFinding:
    """A finding, and the steps of the first and the last line of the metrics that have it."""

    first_step: int
    last_step: int
    verdict: str
    text: str

    @property
    def steps(self) -> str:
        """The steps as text."""
        if self.last_step > self.first_step:
            return f"steps {self.first_step:,} to {self.last_step:,}"
        return f"step {self.first_step:,}"


@dataclass(frozen=True)
class Diagnosis:
    """The verdict of a line of the metrics, with its reasons and suggestions."""

    verdict: str
    findings: list[dict[str, str]]


def logged_findings(metrics: Sequence[dict[str, Any]]) -> list[LoggedFinding]:
    """Return each finding once for as long as it lasted, in the order of their beginnings."""
    open_findings: dict[tuple[str, str, str], LoggedFinding] = {}
    last_lines: dict[tuple[str, str, str], int] = {}
    closed: list[LoggedFinding] = []
    for number, line in enumerate(metrics):
        closed += [open_findings.pop(key) for key in list(open_findings) if number - last_lines[key] > MAX_GAP]
        for finding in findings_of(line):
            key = finding["verdict"], finding["name"], finding["about"]
            first_step = open_findings[key].first_step if key in open_findings else line["step"]
            text = f"{finding['reason']} {finding['suggestion']}"
            open_findings[key] = LoggedFinding(first_step, line["step"], finding["verdict"], text)
            last_lines[key] = number
    return sorted([*closed, *open_findings.values()], key=lambda finding: finding.first_step)[:MAX_FINDINGS]


def findings_of(line: dict[str, Any]) -> list[dict[str, str]]:
    """Return the findings in a line of the metrics, without damaged ones."""
    health = line.get("health")
    findings = health.get("findings") if isinstance(health, dict) else None
    keys = ("name", "about", "verdict", "reason", "suggestion")
    return [
        {key: str(finding[key]) for key in keys}
        for finding in (findings if isinstance(findings, list) else [])
        if isinstance(finding, dict) and all(key in finding for key in keys)
    ]


def verdict_of(line: dict[str, Any]) -> str:
    """Return the verdict in a line of the metrics; an empty string where there is none, or an unknown one."""
    health = line.get("health")
    verdict = health.get("verdict") if isinstance(health, dict) else None
    return verdict if verdict in SUMMARIES else ""


def latest_diagnosis(metrics: Sequence[dict[str, Any]]) -> Diagnosis | None:
    """Return the newest diagnosis; None where there is none yet."""
    for line in reversed(metrics):
        if verdict := verdict_of(line):
            return Diagnosis(verdict, findings_of(line))
    return None
