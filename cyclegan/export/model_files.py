"""Files of weights: the reference's `.pth` files, and models in half precision."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from cyclegan.atomic import atomic_write
from cyclegan.checkpoints.model_file import ModelInfo, weights_of
from cyclegan.models import load_weights, meta_module
from cyclegan.reference.pth import NETWORK_NAMES, Weights, to_reference


def reference_files(folder: Path, weights: Mapping[str, Tensor], info: ModelInfo) -> dict[str, Path]:
    """Return the file of each network of a model in the reference's code, by our name of the network."""
    configs = {
        ours: info.discriminator if ours.startswith("disc") else info.generator for ours in NETWORK_NAMES.values()
    }
    return {
        ours: folder / f"latest_net_{theirs}.pth"
        for theirs, ours in NETWORK_NAMES.items()
        if configs[ours] and weights_of(ours, weights)
    }


def export_reference(folder: Path, weights: Mapping[str, Tensor], info: ModelInfo) -> list[Path]:
    """Write the networks of a model as files of the reference's code; return the files."""
    files = reference_files(folder, weights, info)
    for ours, path in files.items():
        config = info.discriminator if ours.startswith("disc") else info.generator
        assert config is not None
        network = load_weights(meta_module(config, info.channels(ours)), weights_of(ours, weights))
        file = io.BytesIO()  # torch's own writing names no cause where the disk is full
        torch.save(to_reference(network), file)
        with atomic_write(path) as aside:
            aside.write_bytes(file.getvalue())
    return list(files.values())


def half_precision_model(info: ModelInfo, weights: Mapping[str, Tensor]) -> tuple[ModelInfo, Weights]:
    """Return a model of the generators alone, with weights in float16."""
    generators = {name: weight.half() for name, weight in weights.items() if name.startswith(("a2b.", "b2a."))}
    return replace(info, discriminator=None), generators
