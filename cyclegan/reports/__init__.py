"""A run's folder in, one HTML file out, which needs nothing else: no network, no script of anybody's."""

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from cyclegan.errors import printable
from cyclegan.files import write_text
from cyclegan.reports.curves import Mark, chart
from cyclegan.reports.remarks import collect_remarks, marks_of, remarks_section
from cyclegan.runs import Run, read_evaluation, read_metrics, sample_grids

SAMPLES_SHOWN = 6
CHARTS = (  # the losses that are looked at together
    ("Who fools whom", ("gan_a2b", "gan_b2a", "disc_a", "disc_b")),
    ("There and back", ("cycle_a", "cycle_b")),
    ("Leaving alone what is right", ("identity_a", "identity_b")),
)
VALIDATION = "Validation: distance of held-out translations from real images; less is better"
GUESSES = "Right guesses of the discriminators; perfect play leaves them one half"


def write_report(run: Run) -> Path:
    """Write the report on a run, finished or not; return where it is."""
    page = Template(packaged("page.html"))
    config = run.load_config()
    metrics = read_metrics(run)
    step = metrics[-1]["step"] if metrics else 0
    remarks = collect_remarks(metrics)
    marks = marks_of(remarks)
    text = page.substitute(
        curves=packaged("curves.css"),
        title=escape(printable(run.name)),
        domain_a=escape(printable(config.data.name_a)),
        domain_b=escape(printable(config.data.name_b)),
        steps=f"{step:,} steps",
        scores=scores_table(read_evaluation(run)),
        samples="\n".join(sample_figure(path) for path in evenly(sample_grids(run), SAMPLES_SHOWN)) or NOTHING_YET,
        health=remarks_section(remarks, metrics),
        guesses=guesses_chart(metrics, marks),
        charts=loss_charts(metrics, marks),
        validation=validation_section(metrics),
        settings=escape(run.config.read_text(encoding="utf-8")),
    )
    write_text(run.report, text)
    return run.report


NOTHING_YET = "<p>None yet.</p>"


def packaged(name: str) -> str:
    """Return the text of a file that stands beside this module."""
    return files("cyclegan.reports").joinpath(name).read_text(encoding="utf-8")


def guesses_chart(metrics: list[dict[str, Any]], marks: Sequence[Mark]) -> str:
    """Return the curves of how often the discriminators are right."""
    return chart(GUESSES, metrics, ("right_guesses_a", "right_guesses_b"), marks, share=True)


def loss_charts(metrics: list[dict[str, Any]], marks: Sequence[Mark]) -> str:
    """Return the curves of the losses."""
    return "\n".join(chart(title, metrics, names, marks) for title, names in CHARTS)


def validation_section(metrics: list[dict[str, Any]]) -> str:
    """Return the curves of the validation, with the step that was kept as the best; nothing where there was none."""
    best = [step for line in metrics if isinstance(step := line.get("best_step"), int)][-1:]
    return chart(VALIDATION, metrics, ("validation", "swd_a2b", "swd_b2a"), [("best", step) for step in best]) + chart(
        "Faithfulness: structural similarity of translation and input", metrics, ("faithfulness_a", "faithfulness_b")
    )


def scores_table(evaluation: dict[str, Any]) -> str:
    """Return the errors to the true counterparts as a section, where they are known."""
    if not evaluation:
        return ""
    try:
        pictures = int(evaluation["pictures"])
        rows = "\n".join(
            f"<tr><td>{escape(way['from'])} to {escape(way['to'])}</td><td>{way['error']:.2f}</td>"
            f"<td>{way['unchanged']:.2f}</td><td>{way['ratio']:.2f}</td></tr>"
            for way in evaluation["directions"]
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return "<section><h2>Errors</h2><p>evaluation.json is damaged.</p></section>"
    return (
        f"<section><h2>Errors</h2><p>Mean absolute difference to the true counterparts of {pictures} "
        "held-out pictures, in grey levels of 255.</p><table><tr><th></th><th>translated</th><th>left unchanged</th>"
        f"<th>ratio</th></tr>{rows}</table></section>"
    )


def sample_figure(path: Path) -> str:
    """Return a sample grid as a figure with its pixels inside."""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    step = int(path.stem)
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="Samples at step {step:,}">'
        f"<figcaption>step {step:,}</figcaption></figure>"
    )


def evenly(paths: list[Path], most: int) -> list[Path]:
    """Return at most `most` of the paths, evenly chosen, the newest first."""
    newest_first = paths[::-1]
    if len(newest_first) <= most:
        return newest_first
    return [newest_first[round(place * (len(paths) - 1) / (most - 1))] for place in range(most)]
