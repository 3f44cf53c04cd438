"""The benchmark compares like with like."""

import pytest
import torch

from cyclegan import Translator
from cyclegan.models import build_networks
from scripts import benchmark_translation
from scripts.benchmark_training import measure, measure_end_to_end, plain_networks
from tests.support.states import tiny_config


def test_the_plain_networks_compute_what_ours_compute():
    config = tiny_config({"training": {"init_gain": 0.2}})
    plain, ours = plain_networks(config, torch.device("cpu")), build_networks(config)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    for (_, network), (_, other) in zip(plain.named_children(), ours.named_children(), strict=True):
        assert len(list(network.parameters())) > len(list(other.parameters()))  # the biases
        torch.testing.assert_close(network(image), other(image), rtol=1e-4, atol=1e-5)


def test_the_benchmark_of_translation_gives_every_figure(tmp_path):
    translator = Translator(benchmark_translation.new_model(tmp_path / "m.safetensors", width=4), device="cpu")
    figures = benchmark_translation.measure(tmp_path, translator, photos=1, small=2, turns=1)
    assert figures["photos_ratio"] == pytest.approx(figures["photos_folder_s"] / figures["photos_network_s"], rel=0.1)
    assert figures["small_ratio"] > 0


def test_the_benchmark_gives_every_figure():
    figures = measure(tiny_config({"training": {"precision": "fp32"}}), torch.device("cpu"), turns=1)
    assert figures["ratio"] == pytest.approx(figures["plain_ms"] / figures["ours_ms"], rel=0.1)
    assert figures["work_tflop"] >= 0
    assert figures["peak_ratio"] > 0


def test_the_benchmark_end_to_end_knows_the_time_outside_the_steps(folders, tmp_path):
    data = {"size": 32} | {f"folder_{side}": str(folder) for side, folder in zip("ab", folders, strict=True)}
    config = tiny_config({"data": data, "schedule": {"max_steps": 4}, "training": {"precision": "fp32"}})
    figures = measure_end_to_end(config, tmp_path / "run")
    assert figures["steps"] == 4
    assert 0 < figures["share_outside"] < 1
