"""A run's folder in, one HTML file out, which needs nothing else: no network, nothing of anybody's."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from cyclegan import __version__
from cyclegan.atomic import write_text
from cyclegan.checkpoints.records import read_evaluation, read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import changed_settings
from cyclegan.errors import printable
from cyclegan.reports.curves import Mark, chart
from cyclegan.reports.facts import command_list, commands, definitions, headline_facts, training_facts
from cyclegan.reports.held_out import held_out_section
from cyclegan.reports.pictures import samples_section, shown_names
from cyclegan.reports.remarks import collect_remarks, marks_of, remarks_section, verdict_section

VALIDATION = (  # curves that are looked at together
    ("Distance of held-out translations from real images; less is better", ("validation", "swd_a2b", "swd_b2a")),
    ("Faithfulness: structural similarity of translation and input", ("faithfulness_a", "faithfulness_b")),
)
CURVES = (
    ("Who fools whom", ("gan_a2b", "gan_b2a", "disc_a", "disc_b")),
    ("There and back", ("cycle_a", "cycle_b")),
    ("Leaving alone what is right", ("identity_a", "identity_b")),
    ("As the teacher does", ("distill_a2b", "distill_b2a")),
    ("Scores of disc_a", ("real_score_a", "fake_score_a", "trained_score_a", "held_out_score_a")),
    ("Scores of disc_b", ("real_score_b", "fake_score_b", "trained_score_b", "held_out_score_b")),
    ("Variety of translations; 1 is that of real images", ("diversity_a2b", "diversity_b2a")),
    ("Change by translation; 1 is what lies between the domains", ("change_a2b", "change_b2a")),
    ("Learning rate", ("learning_rate",)),
    ("Pairs per second", ("samples_per_second",)),
)
STYLES = ("colours.css", "curves.css", "page.css")
GUESSES = "Right guesses; perfect play leaves the discriminators one half"


def write_report(run: Run) -> Path:
    """Write the report on a run, finished or not; return where it is."""
    config, metrics = run.load_config(), read_metrics(run)
    remarks = collect_remarks(metrics)
    a, b = shown_names(config)
    changed = [(name, str(value)) for name, value in changed_settings(config).items()]
    script = packaged("page.js")
    text = Template(packaged("page.html")).substitute(
        title=escape(printable(run.name)),
        domain_a=a,
        domain_b=b,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by cyclegan {__version__}",
        style="\n".join(map(packaged, STYLES)),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        verdict=verdict_section(metrics),
        headline=definitions(headline_facts(config, metrics), "tiles"),
        scores=scores_section(read_evaluation(run)),
        samples=samples_section(run, config),
        remarks=remarks_section(remarks),
        curves=curves_section(metrics, marks_of(remarks)),
        held_out=held_out_section(run, config),
        facts=definitions(training_facts(config), "facts"),
        changed=definitions(changed, "facts") if changed else "<p>None.</p>",
        settings=escape(run.config.read_text(encoding="utf-8")),
        commands=command_list(commands(run)),
    )
    write_text(run.report, text)
    return run.report


def packaged(name: str) -> str:
    """Return a part of a page as it is kept beside this module."""
    return files("cyclegan.reports").joinpath(name).read_text(encoding="utf-8")


def curves_section(metrics: Sequence[dict[str, Any]], marks: Sequence[Mark]) -> str:
    """Return all curves; the validation's with the step that was kept as the best."""
    best = [("best", step) for line in metrics if isinstance(step := line.get("best_step"), int)][-1:]
    charts = [
        *(chart(title, metrics, names, best) for title, names in VALIDATION),
        chart(GUESSES, metrics, ("disc_accuracy_a", "disc_accuracy_b"), marks, share=True),
        *(chart(title, metrics, names, marks) for title, names in CURVES),
    ]
    return "\n".join(charts) if any(charts) else '<p class="soft">None yet.</p>'


def scores_section(evaluation: dict[str, Any]) -> str:
    """Return the errors to the true counterparts, where they are known."""
    if not evaluation:
        return ""
    try:
        pictures = int(evaluation["pictures"])
        rows = "\n".join(
            f"<tr><td>{escape(printable(way['from']))} to {escape(printable(way['to']))}</td>"
            f"<td>{way['error']:.2f}</td><td>{way['unchanged']:.2f}</td><td>{way['ratio']:.2f}</td></tr>"
            for way in evaluation["directions"]
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return "<section><h2>Errors</h2><p>evaluation.json is damaged.</p></section>"
    return (
        f'<section><h2>Errors</h2><p class="soft">Mean absolute difference to the true counterparts of {pictures} '
        "held-out pictures, in grey levels of 255.</p><table><tr><th></th><th>translated</th><th>left unchanged</th>"
        f"<th>ratio</th></tr>{rows}</table></section>"
    )
