"""The benchmarks compare like with like."""

import json

import pytest

from tests.support.scripts import run_script


def figures_of(script: str, tmp_path, *options: object) -> dict:
    result = run_script(script, *options, "--device", "cpu", "--turns", 1, "--json", tmp_path / "figures.json")
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / "figures.json").read_text())


def test_the_training_benchmark_compares_equal_steps(tmp_path):
    figures = figures_of("benchmark_training", tmp_path, "--size", 32, "--width", 4, "--precision", "fp32")
    assert figures["loss_difference"] < 1e-3
    assert figures["ratio"] == pytest.approx(figures["plain_ms"] / figures["ours_ms"], rel=0.1)
    assert figures["plain_peak_mib"] > 0
    assert 0 < figures["share_of_floor"] < 1


def test_the_translation_benchmark_gives_every_figure(tmp_path):
    figures = figures_of("benchmark_translation", tmp_path, "--width", 4, "--photos", 1, "--small", 2)
    assert figures["photos_ratio"] == pytest.approx(figures["photos_folder_s"] / figures["photos_network_s"], rel=0.1)
    assert figures["small_ratio"] > 0
