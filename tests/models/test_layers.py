"""What the networks share keeps numbers, precision and layout."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cyclegan.models import layers
from cyclegan.models.layers import InstanceNorm, ReflectionPad

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 + 5


def followed(norm, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    normalized = norm(x)
    normalized.backward(gradient)
    assert x.grad is not None
    return normalized.detach(), x.grad


@pytest.mark.parametrize("norm", [InstanceNorm(), layers._norm_by_batch_norm, layers._norm_by_arithmetic])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(1, 1, 2, 3), (2, 5, 8, 6), (3, 4, 1, 9), (2, 3, 32, 33)])
def test_instance_norm_and_its_gradient_equal_those_of_torch(norm, layout, shape):
    x, gradient = numbers(*shape), numbers(*shape, seed=1)
    expected = followed(F.instance_norm, x, gradient)
    ours = followed(norm, x.contiguous(memory_format=layout), gradient.contiguous(memory_format=layout))
    for value, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(value, theirs, rtol=0, atol=1e-12)
        assert value.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("norm", [InstanceNorm(), layers._norm_by_batch_norm, layers._norm_by_arithmetic])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_instance_norm_in_bf16_is_as_exact_as_in_torch(norm, layout):
    x, gradient = (numbers(2, 16, 32, 32, seed=seed).bfloat16() for seed in (0, 1))
    exact = followed(F.instance_norm, x.double(), gradient.double())
    theirs = followed(F.instance_norm, x, gradient)
    ours = followed(norm, x.contiguous(memory_format=layout), gradient)
    for value, other, truth in zip(ours, theirs, exact, strict=True):
        assert value.dtype == torch.bfloat16
        assert (value - truth).norm() < 1.5 * (other - truth).norm()


def test_reflection_padding_stays_in_bf16_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        padded = ReflectionPad(1)(torch.zeros(1, 3, 4, 4, dtype=torch.bfloat16))
    assert padded.dtype == torch.bfloat16


class AsOnCuda(TorchDispatchMode):
    """Refuses what CUDA refuses: a group norm of channels that lie last."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert function is not torch.ops.aten.native_group_norm.default or args[0].is_contiguous()
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_instance_norm_uses_only_operations_that_cuda_supports(layout):
    x = torch.zeros(2, 4, 8, 8, dtype=torch.bfloat16, device="meta").contiguous(memory_format=layout)
    with AsOnCuda():
        normalized, gradient = followed(InstanceNorm(), x, x)
    for value in (normalized, gradient):
        assert (value.dtype, value.shape) == (x.dtype, x.shape)
        assert value.is_contiguous(memory_format=layout)
