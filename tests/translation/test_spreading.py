"""A heap of pictures spread over a cluster comes back as one that was not, whoever is killed on the way."""

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import fsspec
import numpy as np
import psutil
import pytest
from PIL import Image

from cyclegan import Translator
from cyclegan.errors import DataError, DeviceError
from cyclegan.translation import TranslateJob, TranslateOptions, displayed, plan_remote_targets, plan_targets
from cyclegan.translation.ray_data import existing_targets, start_ray, translate_chunk
from tests.support.models import write_model

HEAP = int(os.environ.get("CYCLEGAN_HEAP", "200"))
DAMAGED = 5
FAR = Path("memory://photos")


@pytest.fixture
def job(tmp_path: Path) -> TranslateJob:
    return TranslateJob(Translator(write_model(tmp_path / "model.safetensors"), device="cpu"), TranslateOptions())


@pytest.fixture
def far_folder(folders):
    """Pictures at an address."""
    system = fsspec.filesystem("memory")
    system.put(f"{folders[0]}/", "/photos/", recursive=True)
    yield system
    system.rm("/photos", recursive=True)
    if system.exists("/out"):
        system.rm("/out", recursive=True)


def test_a_path_keeps_an_address():
    assert displayed(Path("s3://bucket/photos")) == "s3://bucket/photos"
    assert displayed(Path("photos/a.png")) == "photos/a.png"


def test_a_file_address_is_a_folder_of_this_machine(folders):
    near = plan_remote_targets([folders[0]], "zebras")
    assert plan_remote_targets([Path(f"file://{folders[0]}")], "zebras") == near == plan_targets([folders[0]], "zebras")


def test_remote_pictures_are_translated_and_damaged_ones_named(far_folder, job):
    far_folder.pipe("/photos/broken.png", b"no picture")
    far_folder.pipe("/photos/.hidden.png", b"")
    targets = plan_remote_targets([FAR], "zebras", output=Path("memory://out"))
    result = translate_chunk(targets, job)
    assert len(result.done) == 5
    assert ["broken.png" in str(error) for error in result.failed] == [True]
    names = [name.removeprefix("/out/") for name in far_folder.find("/out")]
    assert sorted(names) == ["1.png", "2.jpg", "3.webp", "deeper/4.PNG", "deeper/5.jpeg"]
    with far_folder.open("/out/deeper/4.PNG") as file, Image.open(file) as picture:
        assert picture.size == (40, 60)
    assert set(existing_targets(targets)) == set(result.done)


def test_a_format_applies_to_remote_pictures_not_to_videos(far_folder):
    far_folder.pipe("/photos/clip.mp4", b"a clip")
    names = {target.path.name for target in plan_remote_targets([FAR], "zebras", image_format="jpg")}
    assert names == {"1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "clip.mp4"}


def test_an_unknown_address_is_an_error():
    with pytest.raises(DataError, match="nowhere://x is no address"):
        plan_remote_targets([Path("nowhere://x")], "zebras")


@pytest.mark.parametrize(("failures", "starts"), [(0, 1), (1, 2), (2, 2)])
def test_ray_is_started_once_more_before_an_error(failures: int, starts: int):
    ray = Mock()
    ray.init.side_effect = [*[Exception("The current node timed out during startup.")] * failures, None]
    with pytest.raises(DeviceError, match="timed out") if failures == 2 else nullcontext():
        start_ray(ray)
    assert (ray.init.call_count, ray.shutdown.call_count) == (starts, failures)


def heap(folder: Path) -> None:
    """Draw small pictures in three folders, a few of them damaged."""
    random = np.random.default_rng(0)
    for number in range(HEAP):
        place = folder / str(number % 3) / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(place)
        if number < DAMAGED:
            place.write_bytes(b"no picture")


@pytest.mark.slow
def test_a_killed_worker_loses_and_repeats_nothing(tmp_path):
    """CYCLEGAN_HEAP says how many pictures (200)."""
    heap(tmp_path / "heap")
    model = write_model(tmp_path / "model.safetensors")
    command = [
        sys.executable, "-m", "cyclegan", "translate", "heap", "--model", str(model), "--device", "cpu",
        "--engine", "ray", "--output", "out", "--json",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    options = {"cwd": tmp_path, "env": environment, "text": True}
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    while len(list((tmp_path / "out").rglob("*.png"))) < HEAP // 10:
        assert first.poll() is None, first.stderr.read()
        time.sleep(0.05)
    workers = [
        child for child in psutil.Process(first.pid).children(recursive=True) if "TranslateWorker" in called(child)
    ]
    workers[0].kill()
    said, _ = first.communicate(timeout=300)
    facts = json.loads(said)
    assert first.returncode == 1
    assert len(facts["written"]) == len(set(facts["written"])) == HEAP - DAMAGED
    assert len(facts["failed"]) == DAMAGED
    names = [
        {path.relative_to(tmp_path / root) for path in (tmp_path / root).rglob("*.png")} for root in ("out", "heap")
    ]
    assert names[1] - names[0] == {Path(str(number % 3)) / f"{number}.png" for number in range(DAMAGED)}
    missing = tmp_path / "out" / "0" / "30.png"
    missing.unlink()
    second = json.loads(subprocess.run(command, capture_output=True, timeout=300, check=False, **options).stdout)
    assert [Path(name) for name in second["written"]] == [missing.relative_to(tmp_path)]


def called(process: psutil.Process) -> str:
    """Return how a process calls itself; nothing, if it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
