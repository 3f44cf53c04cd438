"""The report stands alone and trusts no name."""

import re
from pathlib import Path

import pytest
from PIL import Image

from cyclegan.config import build_config, save_config
from cyclegan.files import write_text
from cyclegan.reports import evenly, write_report
from cyclegan.reports.curves import POINTS, chart, points
from cyclegan.reports.remarks import collect_remarks
from cyclegan.runs import Run, append_metrics, save_evaluation


def make_run(folder: Path, name: str = "horses") -> Run:
    run = Run(folder / "run")
    save_config(build_config({"data": {"name_a": name, "folder_a": name}}), run.config)
    return run


def test_a_run_that_has_just_begun_has_a_report(tmp_path: Path):
    assert "None yet" in write_report(make_run(tmp_path)).read_text()


def test_a_report_shows_curves_samples_and_scores_and_needs_nothing_else(tmp_path: Path):
    run = make_run(tmp_path)
    for step in (10, 20, 30):
        append_metrics(run, {"step": step, "epoch": 1, "gan_a2b": 1 / step, "cycle_a": step})
    run.samples.mkdir()
    Image.new("RGB", (4, 4)).save(run.samples / "000000010.png")
    way = {"from": "a", "to": "b", "error": 10.0, "unchanged": 40.0, "ratio": 0.25}
    save_evaluation(run, {"pictures": 3, "directions": [way]})
    page = write_report(run).read_text()
    assert "30 steps" in page
    assert page.count("<polyline") == 2
    assert "Samples at step 10" in page
    assert "<td>10.00</td><td>40.00</td><td>0.25</td>" in page
    assert not re.search(r"https?://|<script|<link", page)


def line_with(step: int, *findings: dict) -> dict:
    """Return a line of the metrics with findings of the doctor."""
    verdict = "watch" if findings else "fine"
    return {"step": step, "right_guesses_a": 0.9, "health": {"verdict": verdict, "findings": list(findings)}}


WINNER = {
    "name": "discriminator_wins",
    "about": "disc_a",
    "verdict": "watch",
    "reason": "disc_a <b>wins</b>.",
    "remedy": "Widen.",
}


def test_remarks_stand_in_a_list_and_at_their_places_in_the_curves(tmp_path: Path):
    run = make_run(tmp_path)
    for step in range(10, 60, 10):
        append_metrics(run, line_with(step, *([WINNER] if step in (30, 40) else [])))
    page = write_report(run).read_text()
    assert "<strong>watch</strong>, steps 30 to 40: disc_a &lt;b&gt;wins&lt;/b&gt;. Widen." in page
    assert page.count('class="mark"') == 1
    assert 'class="half"' in page


def test_the_best_step_stands_in_the_curve_of_the_validation(tmp_path: Path):
    run = make_run(tmp_path)
    for step, score, best in ((10, 0.5, 10), (20, 0.2, 20), (30, 0.3, 20)):
        append_metrics(run, {"step": step, "validation": score, "swd_a2b": score, "swd_b2a": score, "best_step": best})
    page = write_report(run).read_text()
    assert "Validation: distance" in page
    assert page.count("<polyline") == 3
    middle = re.search(r'class="mark" d="M([\d.]+) .*?<text x="\1" y="-4">best</text>', page)
    assert middle is not None


def test_a_remark_that_comes_and_goes_is_one_until_it_stays_away():
    often = [line_with(step, *([WINNER] if step % 2 else [])) for step in range(10)]
    assert [(remark.step, remark.until) for remark in collect_remarks(often)] == [(1, 9)]
    twice = [line_with(step, *([WINNER] if step in (1, 12) else [])) for step in range(15)]
    assert [(remark.step, remark.until) for remark in collect_remarks(twice)] == [(1, 1), (12, 12)]


def test_a_healthy_run_says_so(tmp_path: Path):
    run = make_run(tmp_path)
    append_metrics(run, line_with(10))
    assert "nothing to remark" in write_report(run).read_text()


def test_names_are_never_read_as_markup(tmp_path: Path):
    page = write_report(make_run(tmp_path, name="<script>alert(1)")).read_text()
    assert "<script>" not in page


def test_metrics_full_of_garbage_still_give_a_report(tmp_path: Path):
    run = make_run(tmp_path)
    sick = '{"step": 2, "health": {"findings": [1, {"name": []}]}}\n{"step": 2, "health": [], "right_guesses_a": null}'
    write_text(run.metrics, f'{{"step": 1, "gan_a2b": "x"}}\n\x00\n{sick}\n{{"step": 3, "gan_a2b": 1}}')
    assert "3 steps" in write_report(run).read_text()


@pytest.mark.parametrize("text", ["{", "[]", '{"directions": [{}]}', '{"pictures": 1, "directions": [{"from": 1}]}'])
def test_scores_full_of_garbage_still_give_a_report(tmp_path: Path, text: str):
    run = make_run(tmp_path)
    write_text(run.evaluation, text)
    (run.samples / "000000001.png").mkdir(parents=True)
    assert "<h2>Settings</h2>" in write_report(run).read_text()


def test_long_runs_are_thinned_and_short_ones_are_not():
    lines = [{"step": step, "disc_a": 0.5} for step in range(10 * POINTS)]
    assert len(points(lines, "disc_a")) == POINTS
    assert len(points(lines[:5], "disc_a")) == 5
    assert chart("title", lines[:1], ["disc_a"]) == ""
    assert [path.name for path in evenly([Path(str(n)) for n in range(10)], 3)] == ["9", "5", "0"]
