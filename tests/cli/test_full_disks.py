"""A disk that fills up costs a sentence, and nothing that was whole."""

import sys
import time

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from tests.cli.shared import POSIX, TINY, assert_a_sentence
from tests.support.killable import COMMAND_LINE, end_of, run_code, start_code
from tests.support.models import write_model


@pytest.mark.skipif(not POSIX, reason="no limits on files there")
def test_a_full_disk_leaves_only_whole_pictures(folders, tmp_path):
    Image.effect_noise((300, 300), 90).convert("RGB").save(folders[0] / "3 large.png")
    model = write_model(tmp_path / "m.safetensors")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "from cyclegan.cli import main; main()"
    )
    result = run_code(code, "translate", "horses", "--model", model, "--quiet", folder=tmp_path)
    assert_a_sentence(result, "3 large.png", "no room left on the disk", status=1)
    written = {path.name for path in (tmp_path / "horses_zebras").rglob("*") if path.is_file()}
    assert written == {"1.png", "2.jpg", "3.webp", "4.PNG", "5.jpeg"}
    for path in (tmp_path / "horses_zebras").rglob("*.*"):
        with Image.open(path) as picture:
            picture.load()


@pytest.mark.skipif(not POSIX, reason="Windows cannot limit the size of files")
def test_a_full_disk_leaves_no_partial_state(folders, tmp_path):
    """A limit on the size of files stands in for a full disk: states and models do not fit, small files do."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "from cyclegan.cli import main; main()"
    )
    result = run_code(code, "train", "horses", "zebras", *TINY, "--set", "logging.samples=1", folder=tmp_path)
    assert_a_sentence(result, "no room left on the disk", "Free some space")
    left = {path.name for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert left <= {"config.toml", "lock", "process", "metrics.jsonl", "000000004.png"}


@pytest.mark.skipif(sys.platform != "linux", reason="no process limits another one there")
def test_a_full_disk_costs_nothing_that_was_saved(command, folders, tmp_path):
    """A limit on the size of files, given to a training at work, cuts a line of its metrics in the middle."""
    from resource import RLIMIT_FSIZE, prlimit

    def training(name: str, steps: int) -> list[str]:
        return ["train", "horses", "zebras", *map(str, TINY), "--name", name, "--max-steps", str(steps), "--quiet"]

    for name, steps in (("whole", 12), ("full", 4)):
        assert command(*training(name, steps)).returncode == 0
    metrics = tmp_path / "checkpoints" / "full" / "metrics.jsonl"
    shape = ["--set", "logging.every=1"]
    arguments, streams = (*training("full", 10**6), "--epochs", 10**6, *shape), tmp_path / "streams"
    process = start_code(COMMAND_LINE, *arguments, folder=tmp_path, streams=streams)
    while metrics.read_text().count("\n") < 4 and process.is_alive():
        time.sleep(0.01)
    full = metrics.stat().st_size + 3000
    prlimit(process.pid, RLIMIT_FSIZE, (full, full))
    assert_a_sentence(
        end_of(process, streams),
        "checkpoints/full/metrics.jsonl cannot be written: no room left on the disk",
        "Free some space",
    )
    assert not metrics.read_text().endswith("\n"), "no line was cut"
    assert command(*training("full", 12)).returncode == 0
    ended = [load_file(tmp_path / "checkpoints" / name / "model.safetensors") for name in ("whole", "full")]
    assert all(torch.equal(ended[1][name], weight) for name, weight in ended[0].items())
    assert [line["step"] for line in read_metrics(Run(metrics.parent))] == [2, 4, 6, 8, 10, 12]
