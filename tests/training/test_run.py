"""`cyclegan.train`: one call that starts, continues and replaces a run."""

import subprocess
import sys

from cyclegan import train
from cyclegan.config import build_config
from tests.support.runs import tiny_settings


def test_the_same_call_continues_and_fresh_starts_again(folders, tmp_path):
    steps, messages = [], []

    def train_steps(count: int, **options):
        config = build_config(*tiny_settings(folders, count))
        callback = lambda _, info: steps.append(info.step)  # noqa: E731
        return train(config, tmp_path / "run", callbacks=[callback], log=messages.append, **options)

    assert train_steps(2).finished
    assert train_steps(3).steps_done == 1
    assert steps == [1, 2, 3]
    assert messages == ["Resuming from step 2."]
    assert train_steps(2, fresh=True).steps_done == 2
    assert (tmp_path / "run.1" / "report.html").exists()


def test_torchmetrics_is_not_imported_with_the_training():
    code = (
        "import sys, cyclegan.training\n"
        "print(sorted({'torchmetrics', 'torchvision'} & set(sys.modules)))\n"
        "import torchmetrics"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
