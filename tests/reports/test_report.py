"""The report stands alone, shows what there is, and trusts nothing that it reads."""

import re
from pathlib import Path

import pytest
from PIL import Image

from cyclegan.atomic import write_text
from cyclegan.checkpoints.records import SAMPLE_GAP, append_metrics, save_evaluation
from cyclegan.reports import write_report
from cyclegan.reports.curves import MAX_POINTS, Panel, make_chart, points, ticks
from cyclegan.reports.diagnosis import logged_findings
from cyclegan.reports.facts import trained_seconds
from cyclegan.reports.samples import MAX_FRAMES
from tests.support.reported_runs import HOSTILE, SIDE, WINNER, draw_samples, leave_held_out, line_with, make_run


def test_a_new_run_has_a_report(tmp_path: Path):
    page = write_report(make_run(tmp_path)).read_text()
    assert "None yet" in page
    assert "Not diagnosed yet" in page


def test_a_report_is_self_contained(tmp_path: Path):
    run = make_run(tmp_path)
    for step in (10, 20, 30):
        append_metrics(run, {"step": step, "epoch": 1, "gan_a2b": 1 / step, "cycle_a": step})
    draw_samples(run, 10, 20)
    way = {"from": "a", "to": "b", "error": 10.0, "unchanged": 40.0, "ratio": 0.25}
    save_evaluation(run, {"pictures": 3, "directions": [way]})
    page = write_report(run).read_text()
    assert "<dt>Steps</dt><dd>30</dd>" in page
    assert page.count("<polyline") == 2
    assert page.count("data:image/webp;base64,") == 4
    assert "translated at step 10" in page
    assert "<td>10.00</td><td>40.00</td><td>0.25</td>" in page
    assert not re.search(r"https?://|<script \w|<link|@import|url\(", page)


def test_of_many_samples_the_first_and_the_newest_are_included(tmp_path: Path):
    run = make_run(tmp_path)
    draw_samples(run, *range(1, MAX_FRAMES + 20))
    page = write_report(run).read_text()
    assert page.count("<img") == 2 * MAX_FRAMES
    assert "translated at step 1<" not in page
    assert 'data-steps="1 ' in page
    assert f' {MAX_FRAMES + 19}"' in page
    assert f"{MAX_FRAMES} of {MAX_FRAMES + 19} grids" in page


def test_large_samples_are_made_smaller(tmp_path: Path):
    run = make_run(tmp_path)
    run.samples.mkdir()
    Image.new("RGB", (6 * 512 + SAMPLE_GAP, 4096)).save(run.samples / "000000001.png")
    widths = re.findall(r'width="(\d+)" height="(\d+)"', write_report(run).read_text())
    assert [int(width) * int(height) < 410_000 for width, height in widths] == [True, True]


def test_the_best_and_worst_held_out_pictures_appear_once(tmp_path: Path):
    run = make_run(tmp_path)
    names = [f"{number}.png" for number in range(7)]
    leave_held_out(run, *names)
    page = write_report(run).read_text()
    shown = re.findall(r'class="name"><span>(.*?)</span><b>(.*?)</b>', page)
    best, worst = names[:3], names[:-4:-1]
    assert [name for name, _ in shown] == 4 * [*best, *worst]
    assert [value for _, value in shown[:6]] == ["0.0", "12.8", "25.5", "76.5", "63.8", "51.0"]
    assert [value for _, value in shown[6:12]] == ["1.00", "0.90", "0.80", "0.40", "0.50", "0.60"]


def test_findings_are_listed_and_marked_in_the_curves(tmp_path: Path):
    run = make_run(tmp_path)
    for step in range(10, 60, 10):
        append_metrics(run, line_with(step, *([WINNER] if step in (30, 40) else [])))
    page = write_report(run).read_text()
    assert "<b>steps 30 to 40</b> disc_a &lt;b&gt;wins&lt;/b&gt;. Widen." in page
    assert page.count('<path class="mark" d="M60.00 ') == 1
    assert '<span class="label" style="left:60.00%">1</span>' in page


def test_the_latest_verdict_comes_with_its_suggestion(tmp_path: Path):
    run = make_run(tmp_path)
    append_metrics(run, line_with(10, WINNER))
    assert '<section class="verdict watch">' in (page := write_report(run).read_text())
    assert "disc_a &lt;b&gt;wins&lt;/b&gt;. <b>Widen.</b>" in page
    append_metrics(run, line_with(20))
    assert '<section class="verdict fine">' in write_report(run).read_text()


@pytest.mark.parametrize(
    ("best", "labels"),
    [
        ({"best_step_a2b": 20, "best_step_b2a": 10}, [("50.00", "best a2b"), ("25.00", "best b2a")]),
        ({"best_step_a2b": 20, "best_step_b2a": 20}, [("50.00", "best")]),
        ({"best_step": 20}, [("50.00", "best")]),  # of an early version, with one best for both
    ],
)
def test_the_best_steps_are_marked_in_the_validation_curve(tmp_path: Path, best, labels):
    run = make_run(tmp_path)
    for step, score in ((10, 0.5), (20, 0.2), (40, 0.3)):
        append_metrics(run, {"step": step, "swd_a2b": score, "swd_b2a": score} | best)
    page = write_report(run).read_text()
    assert page.count("<polyline") == 2
    assert page.count('<span class="label" style="left:') == len(labels)
    assert all(f'<span class="label" style="left:{left}%">{text}</span>' in page for left, text in labels)
    for direction in ("a2b", "b2a"):
        step = best.get(f"best_step_{direction}", 20)
        assert f"<dt>Best {direction} by validation</dt><dd>step {step}</dd>" in page


def test_an_intermittent_finding_is_one_until_it_stays_away():
    often = [line_with(step, *([WINNER] if step % 2 else [])) for step in range(10)]
    assert [(finding.first_step, finding.last_step) for finding in logged_findings(often)] == [(1, 9)]
    twice = [line_with(step, *([WINNER] if step in (1, 12) else [])) for step in range(15)]
    assert [(finding.first_step, finding.last_step) for finding in logged_findings(twice)] == [(1, 1), (12, 12)]


def test_names_are_never_read_as_markup(tmp_path: Path):
    run = make_run(tmp_path, name=HOSTILE.replace("/", "|"))
    draw_samples(run, 1, 2)
    leave_held_out(run, HOSTILE, f'"{HOSTILE}', "c.png", "d.png")
    append_metrics(run, line_with(10, WINNER | {"reason": HOSTILE, "suggestion": HOSTILE, "verdict": HOSTILE}))
    page = write_report(run).read_text()
    assert page.count("<script") == 1
    assert "&lt;script&gt;document.title" in page


def test_damaged_metrics_still_give_a_report(tmp_path: Path):
    run = make_run(tmp_path)
    damaged = (
        '{"step": 2, "health": {"findings": [1, {"name": []}]}}\n{"step": 2, "health": [], "disc_accuracy_a": null}'
    )
    numbers = '"epoch": [], "elapsed_seconds": NaN, "samples_per_second": Infinity, "best_step": 1e300'
    write_text(run.metrics, f'{{"step": 1, "gan_a2b": "x"}}\n\x00\n{damaged}\n{{"step": -3, "gan_a2b": 1, {numbers}}}')
    assert "<dd>-3</dd>" in write_report(run).read_text()


HUGE = (
    '{"pictures": 1e999, "directions": [], "a": [{"picture": "", "cycle_error": 1%s, "score": 1, "row": 0}], "b": []}'
)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"directions": [{}]}', '{"pictures": 1, "directions": [{"from": 1}]}', HUGE % ("0" * 400)]
)
def test_damaged_scores_and_pictures_still_give_a_report(tmp_path: Path, text: str):
    run = make_run(tmp_path)
    leave_held_out(run, "a.png", "b.png")
    for path in (run.evaluation, run.held_out / "000000040.json", run.samples / "000000002.png"):
        write_text(path, text)
    (run.samples / "000000001.png").mkdir(parents=True)
    assert "<h2>Commands</h2>" in write_report(run).read_text()


def test_unusual_but_valid_files_still_give_a_report(tmp_path: Path):
    run = make_run(tmp_path)
    leave_held_out(run, "a.png", "b.png", "c.png", "d.png")
    Image.new("RGB", (3 * SIDE, SIDE)).save(run.held_out / "000000030.png")  # one row of four
    run.samples.mkdir(exist_ok=True)
    Image.new("RGB", (8, 1_000_000)).save(run.samples / "000000001.png")  # longer than WebP takes
    way = {"from": "\ud800", "to": "zebras", "error": 10.0, "unchanged": 40.0, "ratio": 0.25}
    save_evaluation(run, {"pictures": 3, "directions": [way]})
    page = write_report(run).read_text(encoding="utf-8")
    assert "held_out/ is damaged." in page
    assert "<td>\\ud800 to zebras</td>" in page


def test_curves_of_long_runs_are_averaged():
    lines = [{"step": step, "disc_a": step % 10} for step in range(10 * MAX_POINTS)]
    assert points(lines, "disc_a") == [(step, 4.5) for step in range(9, 10 * MAX_POINTS, 10)]
    assert len(points(lines[:5], "disc_a")) == 5
    assert make_chart(Panel("title", ("disc_a",)), lines[:1]) is None


@pytest.mark.parametrize(("low", "high"), [(0.0, 2.7), (-0.3, 0.9), (0.0, 2e-4), (0.0, 0.0), (0.0, 1e29), (-5.0, -5.0)])
def test_ticks_enclose_the_curves(low: float, high: float):
    levels = ticks(low, high)
    assert levels[0] <= low
    assert levels[-1] >= high
    assert 2 <= len(levels) <= 7
    assert levels == sorted(set(levels))


def test_training_time_includes_every_continuation():
    """Also one that took longer than the process before it, and those of versions that wrote no start."""
    lines = [(1, 5.0), (1, 10.0), (2, 3.0), (2, 4.0), (3, 6.0), (None, 2.0), (None, 1.0)]
    metrics = [{"started_seconds": start, "elapsed_seconds": elapsed} for start, elapsed in lines]
    assert trained_seconds(metrics) == 10 + 4 + 6 + 2 + 1
    assert trained_seconds([]) == 0.0
