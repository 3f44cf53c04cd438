"""Fixtures of all tests."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations  # noqa: F401 (before the hook: what a hooked module imports first is compiled without a cache)
import jaxtyping
import lightning_fabric  # noqa: F401 (like albumentations)

import tests.support.typecheck  # noqa: F401 (the hook below looks it up by its name)

SHAPED = (
    *("images", "losses", "models", "metrics", "diagnostics", "training"),
    *("data", "inference", "video", "translation", "evaluation"),
)
jaxtyping.install_import_hook([f"cyclegan.{module}" for module in SHAPED], "tests.support.typecheck.checked")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from cyclegan.devices import threads_of_torch  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for background jobs

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of small pictures of several sizes and formats, one in a sub-folder."""
    random = np.random.default_rng(0)
    paths = tmp_path / "horses", tmp_path / "zebras"
    for folder, shapes in zip(paths, [(40, 60), (64, 48)], strict=True):
        (folder / "deeper").mkdir(parents=True)
        for name in ("1.png", "2.jpg", "3.webp", "deeper/4.PNG", "deeper/5.jpeg"):
            coarse = random.integers(0, 256, (4, 6, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize(shapes, Image.Resampling.BICUBIC).save(folder / name)
    return paths


@pytest.fixture(autouse=True, scope="session")
def torch_is_the_automatic_backend() -> Iterator[None]:
    """Let nothing else be installed: with shape checks no generator can be traced for another backend."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cyclegan.inference.backends.find_spec", lambda _: None)
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Start headless Chromium; without it a test is skipped."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
        executable = next(filter(None, found), engine.chromium.executable_path)
        if not Path(executable).exists():
            pytest.skip("there is no Chromium")
        browser = engine.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def without_shape_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable shape checks: they tie a traced program to the shapes of its trace, and take a third of a training."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Run the command line as a new process in a temporary folder."""

    def run(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cyclegan", *map(str, arguments)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | options.pop("env", {})
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=240, env=environment, check=False, **options
        )

    return run


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Run the command line within this process in a temporary folder, without importing torch again."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        from cyclegan.cli import main

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["cyclegan", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), output.out, output.err)

    return run


@pytest.fixture
def two_operator_threads() -> Iterator[None]:
    """Let torch use two threads in a test."""
    with threads_of_torch(2):
        yield
