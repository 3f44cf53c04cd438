"""A rating sheet in headless Chromium, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cyclegan.evaluation.preference import Preference, read_preference
from cyclegan.evaluation.rating_sheet import make_rating_sheet, photos_in
from tests.support.rating import COLORS, draw_folder

IS_RED_LEFT = """() => {
  const picture = document.querySelector(".trial:not([hidden]) .left img");
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.drawImage(picture, 0, 0, 1, 1);
  const [red, , blue] = canvas.getImageData(0, 0, 1, 1).data;
  return red > blue;
}"""


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """Open a sheet of eight trials, crimson against indigo, on a phone with the network off."""
    photos, *folders = (draw_folder(tmp_path / name, name) for name in ("photos", *COLORS))
    path = tmp_path / "rating.html"
    path.write_text(make_rating_sheet(photos_in([photos]), folders=folders).html("Which?"), encoding="utf-8")
    context = browser.new_context(viewport={"width": 360, "height": 700})
    context.set_offline(True)
    page, said, asked = context.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert said == []
    assert [address for address in asked if not address.startswith(("file://", "data:", "blob:"))] == []


def saved(page: Page, path: Path) -> Preference:
    """Save the answers as a file, and read them."""
    with page.expect_download() as download:
        page.locator("#save").click()
    download.value.save_as(path)
    return read_preference([path])


def test_choosing_one_color_each_time_prefers_it(page: Page, tmp_path: Path):
    for number in range(1, 9):
        expect(page.locator("#position")).to_have_text(f"{number} of 8")
        left = page.evaluate(IS_RED_LEFT)
        if number % 2:
            page.keyboard.press("ArrowLeft" if left else "ArrowRight")
        else:
            page.get_by_role("button", name="Left" if left else "Right").click()
    expect(page.locator("#end")).to_be_visible()
    preference = saved(page, tmp_path / "answers.json")
    assert dict(zip(preference.candidates, preference.preferred, strict=True)) == {"crimson": 8, "indigo": 0}
    assert preference.left == 4
    assert preference.verdict == "People prefer crimson."


def test_answers_stay_when_the_page_is_opened_again(page: Page, tmp_path: Path):
    page.keyboard.press("ArrowLeft")
    page.get_by_role("button", name="No difference").click()
    page.reload()
    expect(page.locator("#position")).to_have_text("3 of 8")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("button", name="No difference")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    preference = saved(page, tmp_path / "answers.json")
    assert (preference.decided, preference.no_difference, preference.unanswered) == (2, 0, 6)


def test_the_next_person_begins_without_answers(page: Page, tmp_path: Path):
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    first = tmp_path / "first.json"
    assert saved(page, first).no_difference == 8
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Next person").click()
    expect(page.locator("#position")).to_have_text("1 of 8")
    page.keyboard.press("ArrowLeft")
    second = tmp_path / "second.json"
    assert saved(page, second).unanswered == 7
    assert read_preference([first, second]).files == 2


def test_the_sheet_fits_a_phone_and_one_trial_is_shown(page: Page):
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator(".trial:visible").count() == 1
    assert page.title() == "Which?"
