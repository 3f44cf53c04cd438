"""Models in fewer bytes."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

SCALE = ".scale"  # ends the name of what a row of 8-bit numbers is multiplied by

Tensors = dict[str, Tensor]


def convert(model: Path, target: Path, conversion: str) -> None:
    """Write a model whose tensors are `halved`, `quantized` or `dequantized`, with the same description."""
    with safe_open(model, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    target.parent.mkdir(parents=True, exist_ok=True)
    convert_tensors = {"halved": halved, "quantized": quantized, "dequantized": dequantized}[conversion]
    save_file({name: tensor.contiguous() for name, tensor in convert_tensors(tensors).items()}, target, metadata)


def halved(tensors: Tensors) -> Tensors:
    """Return tensors in half precision."""
    return {name: tensor.half() for name, tensor in tensors.items()}


def quantized(tensors: Tensors) -> Tensors:
    """Return weights in 8 bits: w ≈ scale q, |q| <= 127, with a scale for each row; biases are kept in half precision.

    The relative error is about 1 %: a beginning of a training, not its result.
    """
    small: Tensors = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            small[name] = tensor.half()
            continue
        weights = tensor.float()
        scale = weights.abs().amax(tuple(range(1, weights.dim())), keepdim=True).clamp_min(1e-12) / 127
        small[name], small[name + SCALE] = (weights / scale).round().to(torch.int8), scale
    return small


def dequantized(tensors: Tensors) -> Tensors:
    """Return what `quantized` was given, nearly, in fp32."""
    names = [name for name in tensors if not name.endswith(SCALE)]
    return {name: tensors[name].float() * tensors.get(name + SCALE, torch.ones(())) for name in names}


def largest_difference(model: Path, other: Path) -> float:
    """Return the largest difference of two models' weights."""
    ours, theirs = load_file(model), load_file(other)
    return max(float((ours[name] - weight).abs().max()) for name, weight in theirs.items())
