"""One page for all the tests that may share it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan.checkpoints.records import append_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config, save_config
from tests.support.models import write_model
from tests.support.served_ui import Served, serving

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a page with a model of horses and zebras, and a run in training."""
    folder = tmp_path_factory.mktemp("page")
    run = Run(folder / "checkpoints" / "horses2zebras")
    write_model(run.model)
    make_run(run)
    with serving(folder) as served:
        yield served
        assert served.attempts() == ""


def make_run(run: Run, name: str = "horses") -> None:
    """Write what a training has left in a run's folder so far."""
    run.samples.mkdir(parents=True, exist_ok=True)
    save_config(build_config({"data": {"name_a": name, "name_b": "zebras", "folder_a": "x"}}), run.config)
    finding = {"name": "wins", "about": "disc_a", "verdict": "watch", "reason": f"{EVIL} wins.", "suggestion": "Wait."}
    for step in (10, 20, 30):
        health = {"verdict": "watch", "findings": [finding]}
        append_metrics(run, {"step": step, "epoch": 1, "gan_a2b": 1 / step, "cycle_a": step / 10, "health": health})
    Image.new("RGB", (96, 32), "teal").save(run.samples / "000000030.png")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """Draw a picture of soft colours, with a date and a place in its EXIF."""
    random = np.random.default_rng(0)
    path = tmp_path / "a horse & a foal.jpg"
    coarse = Image.fromarray(random.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[306] = "2020:02:20 20:20:20"
    coarse.resize((120, 80), Image.Resampling.BICUBIC).save(path, quality=95, exif=exif)
    return path
