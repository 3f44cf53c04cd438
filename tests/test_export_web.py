"""`export --format web` writes a page that translates in the visitor's browser, and asks nobody but its server."""

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from cyclegan import Translator
from cyclegan.errors import MissingExtraError
from cyclegan.export import web_page
from cyclegan.export.web_page import RUNTIME, RUNTIME_FILES, fetch_runtime
from cyclegan.images import read_picture
from tests.cli.shared import assert_a_sentence
from tests.support.models import write_model

pytestmark = pytest.mark.usefixtures("without_shape_checks")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an npm first in the path that packs files of the runtime's names, or nothing; return its log."""
    package, log = tmp_path / "package.tgz", tmp_path / "asked"
    (tmp_path / "file").write_text("runtime")
    with tarfile.open(package, "w:gz") as archive:
        for name in (*RUNTIME_FILES, "another"):
            archive.add(tmp_path / "file", f"package/dist/{name}")
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {log}\n[ -e {package} ] && cp {package} "$5"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return log


def test_a_page_holds_both_programs_and_the_runtime(npm: Path, command, tmp_path: Path):
    write_model(tmp_path / "m.safetensors", domain_a="<b>horses")
    result = command("export", "m.safetensors", "--format", "web", "--output", "my page")
    assert result.returncode == 0, result.stderr
    assert "python -m http.server --bind 127.0.0.1 --directory 'my page'" in result.stdout
    written = {str(path.relative_to(tmp_path / "my page")) for path in (tmp_path / "my page").rglob("*.*")}
    runtime = {f"onnxruntime/{name}" for name in RUNTIME_FILES}
    assert written == {"index.html", "page.js", "a2b.onnx", "b2a.onnx", *runtime}
    assert RUNTIME in npm.read_text()
    page = (tmp_path / "my page" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;horses ↔ zebras" in page
    assert "<b>" not in page
    again = command("export", "m.safetensors", "--format", "web", "--output", "my page")
    assert_a_sentence(again, "exists already", "--overwrite")


def test_a_page_of_one_direction_has_one_program(npm: Path, command, tmp_path: Path):
    write_model(tmp_path / "m.safetensors")
    command("export", "m.safetensors", "--format", "web", "--output", "page", "--direction", "b2a")
    assert [path.name for path in (tmp_path / "page").glob("*.onnx")] == ["b2a.onnx"]


def test_without_npm_or_the_network_nothing_is_written(npm: Path, command, tmp_path: Path, monkeypatch):
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "package.tgz").unlink()
    result = command("export", "m.safetensors", "--format", "web", "--output", "page")
    assert_a_sentence(result, f"npm did not bring {RUNTIME}", "connect to the network")
    monkeypatch.setattr(web_page.shutil, "which", lambda _: None)
    result = command("export", "m.safetensors", "--format", "web", "--output", "page")
    assert_a_sentence(result, "this needs npm", "Install Node.js")
    assert not list(tmp_path.rglob("*.onnx"))


def test_options_of_programs_alone_are_a_sentence(command, tmp_path: Path):
    write_model(tmp_path / "m.safetensors")
    page = ("export", "m.safetensors", "--format", "web", "--output", "page")
    assert_a_sentence(command(*page, "--half"), "the page's programs keep weights in float32")
    assert_a_sentence(command(*page, "--pictures"), "--pictures is an option of programs")
    assert_a_sentence(command(*page[:-1], "page.onnx"), "page.onnx is named like a file", "Name a folder")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing about it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def served(browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Serve a page with the real runtime, where there is a browser; return its address and its model."""
    folder = tmp_path_factory.mktemp("page")
    try:
        fetch_runtime(tmp_path_factory.mktemp("runtime"))
    except MissingExtraError as error:
        pytest.skip(str(error))
    model = write_model(folder / "m.safetensors")
    command = (sys.executable, "-m", "cyclegan", "export", str(model), "--format", "web", "--output", folder / "page")
    subprocess.run(command, check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder / "page"))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", model
    server.shutdown()
    server.server_close()


def test_a_visitor_translates_a_picture_both_ways_and_downloads_it(browser, served: tuple[str, Path], tmp_path: Path):
    address, model = served
    Image.effect_mandelbrot((310, 270), (-2, -1, 1, 1), 50).convert("RGB").save(tmp_path / "photo.png")
    asked, complaints, links = [], [], []
    tab = browser.new_page()
    tab.set_default_timeout(120_000)
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(address)
    tab.get_by_text("Drop a picture here").wait_for()
    tab.set_input_files("#file", tmp_path / "photo.png")
    for to, direction in (("zebras", "a2b"), ("horses", "b2a")):
        tab.select_option("#direction", label=to)
        tab.locator(f"#download[download='photo_{to}.png']").wait_for()
        with tab.expect_download() as download:
            tab.click("#download")
        download.value.save_as(tmp_path / f"{to}.png")
        links.append(tab.locator("#download").get_attribute("href"))
        translated = read_picture(tmp_path / f"{to}.png")
        assert translated.pixels.shape == (256, 294, 3)
        with Image.open(tmp_path / f"{to}.png") as marked:
            assert b"trainedAlgorithmicMedia" in marked.info["xmp"]
        shrunk = tab.locator("#before").evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
        )
        seen = np.array(shrunk, dtype=np.uint8).reshape(256, 294, 4)[..., :3]
        exact = Translator(model, direction=direction, device="cpu", precision="fp32")(seen)
        assert np.abs(translated.pixels.astype(int) - exact).max() <= 1
    for link in links:  # of the picture before, too: the next may be done while that one is still being saved
        tab.evaluate("link => { const image = new Image(); image.src = link; return image.decode(); }", link)
    tab.close()
    assert complaints == []
    assert all(url.startswith((address, "blob:", "data:")) for url in asked)
