"""The benchmark compares like with like."""

import pytest
import torch

from cyclegan.models import build_networks
from scripts.benchmark_training import measure, plain_networks
from tests.training.games import tiny_config


def test_the_plain_networks_compute_what_ours_compute():
    config = tiny_config({"game": {"init_gain": 0.2}})
    plain, ours = plain_networks(config, torch.device("cpu")), build_networks(config)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    for (_, network), (_, other) in zip(plain.named(), ours.named(), strict=True):
        assert len(list(network.parameters())) > len(list(other.parameters()))  # the biases
        torch.testing.assert_close(network(image), other(image), rtol=1e-4, atol=1e-5)


def test_the_benchmark_gives_every_figure():
    figures = measure(tiny_config({"game": {"precision": "fp32"}}), torch.device("cpu"), turns=1)
    assert figures["ratio"] == pytest.approx(figures["plain_ms"] / figures["ours_ms"], rel=0.1)
    assert figures["work_tflop"] >= 0
