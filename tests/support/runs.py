"""Small runs for tests."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from cyclegan.checkpoints.model_file import load_model
from cyclegan.checkpoints.records import held_out_files, read_metrics
from cyclegan.checkpoints.run import Run, locked
from cyclegan.checkpoints.states import load_state
from cyclegan.config import build_config
from cyclegan.training import TrainResult, check_continuation, load_inputs, train_locked
from tests.support.states import TINY

TIMES = ("_seconds", "_per_second")


def tiny_settings(folders: tuple[Path, Path], steps: int) -> list[dict[str, Any]]:
    """Return the settings of a run of a few seconds."""
    return [
        TINY,
        {
            "data": {"folder_a": str(folders[0]), "folder_b": str(folders[1]), "name_a": "horses", "name_b": "zebras"},
            "generator": {"dropout": True},
            "training": {"pool_size": 4, "batch_size": 2, "precision": "fp32", "diffaugment": True},
            "schedule": {"epochs": 2, "decay_epochs": 20, "max_steps": steps},
            "machine": {"device": "cpu"},
            "logging": {"every": 4, "samples_every": 5, "samples": 2},
        },
    ]


def train_run(run: Run, folders: tuple[Path, Path], steps: int, *more: dict[str, Any], **options) -> TrainResult:
    """Train, or continue, a tiny run."""
    config = build_config(*tiny_settings(folders, steps), *more)
    check_continuation(config, run)
    with locked(run):
        return train_locked(load_inputs(config, run), **options)


def stop_at(step: int) -> dict[str, Any]:
    """Return options of `train` that interrupt it after a step."""
    steps: list[int] = []
    return {
        "callbacks": [lambda _, info: steps.append(info.step)],
        "interrupted": lambda: bool(steps) and steps[-1] >= step - 1,
    }


def contents(run: Run) -> dict[str, Any]:
    """Return the contents of a run without times: state, models, metrics, samples."""
    tensors, facts, _ = load_state(run)
    metrics = [{key: value for key, value in line.items() if not key.endswith(TIMES)} for line in read_metrics(run)]
    return {
        "facts": facts,
        "metrics": metrics,
        "state": {name: tensor.reshape(-1).view(torch.uint8).numpy().tobytes() for name, tensor in tensors.items()},
        "models": [
            (load_model(path)[0], {name: tensor.numpy().tobytes() for name, tensor in load_file(path).items()})
            for path in (run.model, run.best)
            if path.exists()
        ],
        "samples": {path.name: path.read_bytes() for path in sorted(run.samples.iterdir())},
        "held out": {path.name: path.read_bytes() for path in held_out_files(run)},
    }
