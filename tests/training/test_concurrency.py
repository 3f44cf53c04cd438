"""Trainings in threads of one process either leave one another alone or are refused."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import create_autospec

import pytest
import torch
from safetensors.torch import load_file

from cyclegan.config import Config, GeneratorConfig
from cyclegan.errors import RunError
from cyclegan.runs import Run
from cyclegan.training import Plan
from cyclegan.training.concurrency import sharing_process
from tests.training.runs_for_tests import play_run


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_trainings_in_two_threads_end_as_alone(folders, tmp_path, precision):
    settings = {"generator": {"dropout": False}, "game": {"precision": precision, "diffaugment": False}}

    def trained(name: str) -> dict[str, torch.Tensor]:
        run = Run(tmp_path / name)
        play_run(run, folders, 8, settings)
        return load_file(run.model)

    alone = trained("alone")
    with ThreadPoolExecutor(2) as threads:
        for other in threads.map(trained, ["one", "two"]):
            assert all(torch.equal(alone[name], other[name]) for name in alone)


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_training_that_needs_its_own_process_is_refused(first, second):
    def plan(dropout: bool) -> Plan:
        config = replace(Config(), generator=GeneratorConfig(dropout=dropout))
        return create_autospec(Plan, instance=True, config=config, device=torch.device("cpu"))

    with (
        sharing_process(plan(first)),
        pytest.raises(RunError, match="another training runs"),
        sharing_process(plan(second)),
    ):
        pass
    with sharing_process(plan(True)):
        pass
