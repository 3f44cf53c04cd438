"""Trainings in threads of one process do not disturb one another, or end with an error."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import create_autospec

import pytest
import torch
from safetensors.torch import load_file

from cyclegan import train
from cyclegan.config import Config, GeneratorConfig, build_config
from cyclegan.errors import RunError
from cyclegan.training import TrainInputs
from cyclegan.training.concurrency import process_shared_with_other_trainings
from tests.support.runs import tiny_settings


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_two_trainings_in_two_threads_equal_single_ones(folders, tmp_path, precision):
    settings = {"generator": {"dropout": False}, "training": {"precision": precision, "diffaugment": False}}

    def trained(name: str) -> dict[str, torch.Tensor]:
        result = train(build_config(*tiny_settings(folders, 8), settings), tmp_path / name)
        return load_file(result.run.model)

    single = trained("single")
    with ThreadPoolExecutor(2) as threads:
        for other in threads.map(trained, ["one", "two"]):
            assert all(torch.equal(single[name], other[name]) for name in single)


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_a_training_that_needs_its_own_process_is_an_error(first, second):
    def inputs(dropout: bool) -> TrainInputs:
        config = replace(Config(), generator=GeneratorConfig(dropout=dropout))
        return create_autospec(TrainInputs, instance=True, config=config, device=torch.device("cpu"))

    with (
        process_shared_with_other_trainings(inputs(first)),
        pytest.raises(RunError, match="another training runs"),
        process_shared_with_other_trainings(inputs(second)),
    ):
        pass
    with process_shared_with_other_trainings(inputs(True)):
        pass
