"""The page as a person sees it, in a browser that is asked for nothing but this machine."""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright import sync_api as playwright

from cyclegan.checkpoints.process import training_process
from cyclegan.checkpoints.run import Run
from tests.support.models import write_model
from tests.support.served_ui import Served, serving
from tests.support.stand_in_training import ended_trainings
from tests.web.conftest import EVIL, make_run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
SECONDS = 180  # in which a busy machine does what a test waits for
CONFINED = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


class Visit:
    """Somebody's visit to the page, and what their browser asked for and complained of."""

    def __init__(self, browser, served: Served) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.tab = browser.new_page()
        self.tab.set_default_timeout(SECONDS * 1000)
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.address = served.address
        self.tab.goto(served.address)

    def upload(self, *pictures: Path) -> None:
        """Drop pictures on the page."""
        self.tab.locator("input[type=file]").first.set_input_files(pictures)
        self.tab.get_by_text(pictures[-1].stem).wait_for()

    def open(self, tab: str) -> None:
        """Choose a tab."""
        self.tab.get_by_role("tab", name=tab).click()

    def press(self, button: str) -> None:
        """Press a button of this name."""
        self.tab.get_by_role("button", name=button, exact=True).click()

    def choose_training(self, preset: str, time: float, unit: str) -> None:
        """Fill in how to train."""
        self.tab.get_by_label("Preset").click()
        self.tab.get_by_role("option", name=f"{preset}:").click()
        self.tab.get_by_label("Time").fill(str(time))
        self.tab.get_by_role("radio", name=unit).check()

    def wait_for(self, text: str | re.Pattern[str]) -> None:
        """Wait until the page shows a text."""
        self.tab.get_by_text(text).first.wait_for()

    def translate(self) -> None:
        """Press the button."""
        self.press("Translate")

    def wait_for_picture(self, selector: str, width: int) -> None:
        """Wait until a picture has loaded; by asking again and again, for the page lets nobody evaluate anything."""
        for _ in range(SECONDS * 10):
            images = self.tab.locator(selector)
            if images.count() and images.first.evaluate("image => image.naturalWidth") == width:
                return
            self.tab.wait_for_timeout(100)
        raise AssertionError(f"no picture of {width} pixels at {selector}")

    def elsewhere(self) -> list[str]:
        """Return what the browser asked of anybody but the page."""
        ours = (self.address, "data:", f"blob:{self.address}")
        return [url for url in self.asked if not url.startswith(ours)]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=CONFINED)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, page: Served) -> Iterator[Visit]:
    visit = Visit(browser, page)
    yield visit
    assert visit.elsewhere() == []
    assert visit.complaints == []
    visit.tab.close()


def test_a_photograph_is_translated_compared_and_downloaded(visit: Visit, photograph: Path, tmp_path: Path):
    visit.tab.get_by_label("zebras").wait_for()
    visit.upload(photograph)
    visit.translate()
    images = visit.tab.get_by_test_id("imageslider-image")
    images.nth(1).wait_for()
    visit.wait_for_picture("[data-testid=imageslider-image] >> nth=1", 120)
    handle = visit.tab.get_by_test_id("slider")
    place = handle.bounding_box()
    before = images.nth(1).evaluate("image => image.style.clipPath")
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    visit.tab.mouse.move(x, y)
    visit.tab.mouse.down()
    visit.tab.mouse.move(x - 80, y, steps=4)
    visit.tab.mouse.up()
    assert images.nth(1).evaluate("image => image.style.clipPath") != before
    visit.tab.get_by_text("cycle error").first.wait_for()
    with visit.tab.expect_download() as download:
        visit.tab.locator("#results").get_by_test_id("download-link").click()
    assert download.value.suggested_filename == photograph.name
    download.value.save_as(tmp_path / "got.jpg")
    with Image.open(tmp_path / "got.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (120, 80))


def test_a_photograph_is_compared_by_both_directions_of_a_model(visit: Visit, photograph: Path, tmp_path: Path):
    (tmp_path / "bad.png").write_text("not a picture")
    visit.tab.get_by_role("tab", name="Compare").click()
    visit.tab.get_by_label("horses2zebras to zebras").check()
    visit.tab.get_by_label("horses2zebras to horses").check()
    visit.tab.get_by_role("tabpanel").locator("input[type=file]").set_input_files([photograph, tmp_path / "bad.png"])
    visit.tab.get_by_text("bad", exact=True).first.wait_for()
    visit.tab.get_by_role("button", name="Compare", exact=True).click()
    visit.tab.get_by_text("bad.png is not a picture in a format that can be read.").wait_for()
    visit.tab.locator("#sheet img").wait_for()
    with visit.tab.expect_download() as download:
        visit.tab.locator("#sheet").get_by_label("Download").click()
    download.value.save_as(tmp_path / "got")
    with Image.open(tmp_path / "got") as sheet:
        columns, photograph_width = 3, 384  # of 256 pixels height
        assert sheet.width > columns * photograph_width


def test_one_of_several_pictures_is_selected(visit: Visit, tmp_path: Path):
    for number, size in enumerate([(50, 40), (60, 44)]):
        Image.new("RGB", size, "olive").save(tmp_path / f"{number}.png")
    (tmp_path / "bad.png").write_text("not a picture")
    visit.upload(tmp_path / "0.png", tmp_path / "1.png", tmp_path / "bad.png")
    visit.translate()
    visit.tab.get_by_text("bad.png is not a picture in a format that can be read.").wait_for()
    visit.tab.get_by_label("Thumbnail 2 of 2").click()
    visit.wait_for_picture("[data-testid=imageslider-image]", 60)


def test_an_error_is_shown(visit: Visit):
    visit.tab.get_by_label("zebras").wait_for()
    visit.translate()
    visit.tab.get_by_text("these are 0 pictures. Upload 1 to 20 at a time.").wait_for()


def test_a_run_is_followed(visit: Visit, page: Served):
    visit.tab.get_by_role("tab", name="Watch").click()
    visit.tab.get_by_text("step 30").first.wait_for()
    visit.tab.get_by_text("health: watch").wait_for()
    visit.tab.get_by_text(f"{EVIL} wins. Wait.").wait_for()
    visit.tab.locator("#curves polyline").nth(1).wait_for()
    visit.wait_for_picture("img[src*='000000030']", 96)
    run = Run(page.folder / "checkpoints" / "horses2zebras")
    with run.metrics.open("a") as metrics:
        metrics.write('{"step": 40, "epoch": 2, "gan_a2b": 0.1}\n')
    visit.tab.get_by_text("step 40").wait_for()


def test_dropped_pictures_become_a_model_that_translates(
    browser, folders: tuple[Path, Path], photograph: Path, tmp_path: Path
):
    site = tmp_path / "site"
    site.mkdir()
    with ended_trainings(site / "checkpoints"), serving(site) as served:
        visit = Visit(browser, served)
        visit.open("Train")
        for domain, folder in zip("AB", folders, strict=True):
            visit.tab.get_by_label(f"Or drop pictures of kind {domain}, called").fill(folder.name)
            visit.tab.locator(f"#drop-{domain} input[type=file]").set_input_files(sorted(folder.glob("*.*")))
            visit.wait_for(re.compile(rf"3 pictures in .*[/\\]dropped[/\\].*[/\\]{folder.name}"))
        visit.press("Inspect")
        visit.wait_for("horses has 3 pictures; a discriminator soon memorises so few.")
        visit.choose_training("tiny", 0.1, "minutes")
        visit.press("Start training")
        visit.wait_for("Finished.")
        visit.wait_for_picture("[data-testid=image] img, .image-frame img", 196)
        visit.press("Translate with it")
        visit.tab.get_by_label("zebras").wait_for()
        visit.upload(photograph)
        visit.translate()
        visit.wait_for_picture("[data-testid=imageslider-image] >> nth=1", 120)
        assert visit.complaints == visit.elsewhere() == []
        assert served.attempts() == ""
    [run] = (site / "checkpoints").iterdir()
    assert run.name == "horses2zebras"


def test_a_training_outlives_the_page_and_is_stopped_and_continued(browser, folders: tuple[Path, Path], tmp_path: Path):
    def pressed(button: str, then: str) -> None:
        visit.open("Watch")
        visit.press(button)
        visit.wait_for(then)

    site = tmp_path / "site"
    site.mkdir()
    with ended_trainings(site / "checkpoints"):
        with serving(site) as served:
            visit = Visit(browser, served)
            visit.open("Train")
            for domain, folder in zip("AB", folders, strict=True):
                visit.tab.get_by_label(f"Folder {domain}").fill(str(folder))
            visit.choose_training("tiny", 2, "hours")
            visit.press("Start training")
            visit.wait_for(" left")
            visit.open("Train")
            visit.press("Start training")
            visit.wait_for("horses2zebras is being trained")
            visit.tab.close()
        run = Run(site / "checkpoints" / "horses2zebras")
        assert training_process(run)
        with serving(site) as served:
            visit = Visit(browser, served)
            pressed("Stop and save", "Stopped. Everything is saved at step")
            assert not training_process(run)
            pressed("Continue", "Training.")
            pressed("Stop and save", "Stopped.")
            assert visit.complaints == visit.elsewhere() == []
            visit.tab.close()


def test_why_a_training_failed_is_shown(browser, folders: tuple[Path, Path], tmp_path: Path):
    for picture in folders[1].rglob("*.*"):
        picture.write_text("damaged")
    site = tmp_path / "site"
    site.mkdir()
    with ended_trainings(site / "checkpoints"), serving(site) as served:
        visit = Visit(browser, served)
        visit.open("Train")
        visit.press("Start training")
        visit.wait_for("two folders of pictures are needed.")
        for domain, folder in zip("AB", folders, strict=True):
            visit.tab.get_by_label(f"Folder {domain}").fill(str(folder))
        visit.choose_training("paper", 1, "hours")
        visit.press("Start training")
        visit.wait_for("Failed. cyclegan: ")
        assert "Traceback" not in visit.tab.content()
        assert visit.complaints == visit.elsewhere() == []


@pytest.mark.skipif(sys.platform == "win32", reason="such names are not allowed there")
def test_names_run_no_script(browser, tmp_path: Path):
    run = Run(tmp_path / "checkpoints" / EVIL)
    write_model(run.model, domain_a="{{constructor}}", domain_b=f"<!--<script>{EVIL}")
    make_run(run, EVIL)
    picture = tmp_path / "[x](javascript:alert(2))&lt;b&gt;**.png"
    Image.new("RGB", (30, 30)).save(picture)
    bad = tmp_path / "&lt;img src=x onerror=alert(3)&gt;.png"
    bad.write_text("not a picture")
    with serving(tmp_path) as served:
        visit = Visit(browser, served)
        visit.tab.get_by_label(f"<!--<script>{EVIL}").wait_for()
        visit.upload(picture, bad)
        visit.translate()
        visit.tab.get_by_text(f"{bad.name} is not a picture").wait_for()
        visit.tab.get_by_test_id("imageslider-image").nth(1).wait_for()
        visit.tab.get_by_role("tab", name="Watch").click()
        visit.tab.get_by_text(f"{EVIL} and zebras").wait_for()
        assert visit.tab.locator("img[src=x]").count() == 0
        assert visit.complaints == visit.elsewhere() == []
        assert served.attempts() == ""
