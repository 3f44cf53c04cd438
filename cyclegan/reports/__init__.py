"""The report: one self-contained HTML file about a run, made from the files in its folder."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cyclegan import __version__
from cyclegan.atomic import write_text
from cyclegan.checkpoints.records import read_evaluation, read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import changed_settings
from cyclegan.reports.counterparts import counterpart_errors
from cyclegan.reports.curves import Chart, all_charts
from cyclegan.reports.diagnosis import SUMMARIES, latest_diagnosis, logged_findings
from cyclegan.reports.facts import commands, headline_facts, training_facts
from cyclegan.reports.held_out import load_held_out
from cyclegan.reports.rendering import packaged, render
from cyclegan.reports.samples import load_samples

STYLES = ("colors.css", "charts.css", "report.css")


def write_report(run: Run) -> Path:
    """Write the report on a run, finished or not; return its path."""
    config, metrics = run.load_config(), read_metrics(run)
    script = packaged("report.js")
    text = render(
        "report.html",
        title=run.name,
        domain_a=config.data.name_a,
        domain_b=config.data.name_b,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by cyclegan {__version__}",
        style="\n".join(map(packaged, STYLES)),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        diagnosis=latest_diagnosis(metrics),
        headline=headline_facts(config, metrics),
        samples=load_samples(run),
        errors=counterpart_errors(read_evaluation(run)),
        held_out=load_held_out(run, config),
        facts=training_facts(config),
        changed=changed_settings(config).items(),
        settings=run.config.read_text(encoding="utf-8"),
        commands=commands(run),
        **findings_and_charts(metrics),
    )
    write_text(run.report, text)
    return run.report


def render_progress(metrics: Sequence[dict[str, Any]]) -> str:
    """Return the findings and the curves of a run as HTML, one element a line and none of them empty."""
    lines = render("progress.html", **findings_and_charts(metrics)).splitlines()
    return "\n".join(line for line in lines if line.strip())


def findings_and_charts(metrics: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the values of `findings.html` and `charts.html`."""
    findings = logged_findings(metrics)
    marks = [(str(number), finding.first_step) for number, finding in enumerate(findings, 1)]
    charts: list[Chart] = all_charts(metrics, marks)
    return {"findings": findings, "summaries": SUMMARIES, "charts": charts}
