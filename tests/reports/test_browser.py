"""The report in headless Chromium, without a network."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright import sync_api as playwright

from cyclegan.checkpoints.records import append_metrics
from cyclegan.reports import write_report
from tests.support.reported_runs import HOSTILE, WINNER, draw_samples, leave_held_out, line_with, make_run


@dataclass
class Visit:
    """A report that is open in a browser, and what the browser had to say."""

    page: "playwright.Page"
    said: list[str] = field(default_factory=list)  # on the console
    asked: list[str] = field(default_factory=list)  # addresses

    def shown(self) -> list[str]:
        """Return the samples that can be seen."""
        return self.page.eval_on_selector_all(
            ".player img", "pictures => pictures.filter(p => p.offsetWidth > 0).map(p => p.alt)"
        )


@pytest.fixture(params=["light", "dark"])
def visit(request, browser, tmp_path: Path) -> Iterator[Visit]:
    """Open the report on a run with hostile names, at a phone's width, with the network off."""
    run = make_run(tmp_path, name=HOSTILE.replace("/", "|"))
    draw_samples(run, 10, 20, 30)
    leave_held_out(run, HOSTILE, "b.png")
    for step in (10, 20, 30):
        append_metrics(run, line_with(step, WINNER | {"reason": HOSTILE}) | {"disc_a": 1 / step, "best_step": 10})
    context = browser.new_context(viewport={"width": 360, "height": 700}, color_scheme=request.param)
    context.set_offline(True)
    visit = Visit(context.new_page())
    visit.page.on("console", lambda message: visit.said.append(message.text))
    visit.page.on("pageerror", lambda error: visit.said.append(str(error)))
    visit.page.on("request", lambda asked: visit.asked.append(asked.url))
    visit.page.goto(write_report(run).as_uri())
    yield visit
    context.close()


def test_the_slider_shows_each_step_and_makes_no_request(visit: Visit):
    time = visit.page.locator("#time")
    assert visit.page.locator("#step").inner_text() == "step 30"
    assert [alt.rpartition(" ")[2] for alt in visit.shown()] == ["30", "30"]
    seen = visit.page.locator(".player").screenshot()
    time.focus()
    visit.page.keyboard.press("Home")
    assert visit.page.locator("#step").inner_text() == "step 10"
    assert time.get_attribute("aria-valuetext") == "step 10"
    assert [alt.rpartition(" ")[2] for alt in visit.shown()] == ["10", "10"]
    assert visit.page.locator(".player").screenshot() != seen
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.locator("#step").inner_text() == "step 20"
    assert visit.page.locator(".now").first.evaluate("line => line.style.left").startswith("66.6")
    assert visit.said == []
    assert [address for address in visit.asked if not address.startswith(("file://", "data:"))] == []


def test_play_shows_every_step_and_ends_with_the_newest(visit: Visit):
    visit.page.evaluate(
        "() => { window.seen = []; const step = document.getElementById('step');"
        "new MutationObserver(() => seen.push(step.textContent)).observe(step, {childList: true}); }"
    )
    visit.page.locator("#play").click()  # which makes it a button to pause
    playwright.expect(visit.page.locator("#play")).to_have_text("Play")
    assert visit.page.evaluate("seen") == ["step 10", "step 20", "step 30"]


def test_names_run_no_script_and_every_picture_loads(visit: Visit):
    assert visit.page.title() == "run"
    assert visit.page.locator("script").count() == 1
    broken = "pictures => pictures.filter(picture => !picture.naturalWidth).length"
    assert visit.page.eval_on_selector_all("img", broken) == 0


def test_the_page_fits_a_phone(visit: Visit):
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 360


def test_an_injected_script_does_not_run(browser, tmp_path: Path):
    report = write_report(make_run(tmp_path))
    report.write_text(report.read_text(encoding="utf-8").replace("<header>", f"{HOSTILE}<header>"), encoding="utf-8")
    page = browser.new_page()
    page.goto(report.as_uri())
    assert page.title() == "run"
    page.close()
