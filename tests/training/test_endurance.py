"""A long training takes no more of the machine than a short one."""

import os
from pathlib import Path

import psutil
import pytest

from cyclegan.checkpoints.run import Run
from tests.support.runs import train_run

MAX_GROWTH_MIB = 64  # MiB that the allocators may keep to themselves
SMALLEST = {
    "data": {"size": 16},
    "generator": {"width": 2, "blocks": 1, "dropout": False},
    "discriminator": {"width": 2, "layers": 1},
    "training": {"batch_size": 1},
    "schedule": {"epochs": 10**6},
    "logging": {"every": 10, "samples_every": 100, "diagnose_every": 100, "validate_every": 100, "save_minutes": 0.2},
}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="files are counted otherwise there")
def test_memory_files_and_threads_stay_flat(folders, tmp_path: Path):
    """Over CYCLEGAN_STEPS steps (300), with validation, diagnostics, samples and saves on the way."""
    process, memory, files, threads = psutil.Process(), [], [], []

    def measure(state, info) -> None:
        if info.step % 100 == 0:
            memory.append(process.memory_info().rss / 2**20)
            files.append(process.num_fds())
            threads.append(process.num_threads())
            print(info.step, f"{memory[-1]:.0f} MiB", files[-1], threads[-1])  # noqa: T201 (to be seen with -s)

    held_out = {"data": {"validate_a": str(folders[1]), "validate_b": str(folders[0])}}  # the others will do for a test
    steps = int(os.environ.get("CYCLEGAN_STEPS", "300"))
    train_run(Run(tmp_path / "run"), folders, steps, SMALLEST, held_out, callbacks=[measure])
    assert memory[-1] < memory[0] + MAX_GROWTH_MIB
    assert files[-1] <= files[0]
    assert threads[-1] <= threads[0]
