"""The benchmarks compare like with like."""

import json

import pytest

from tests.support.scripts import run_script

SMALL = ("--size", 32, "--width", 4, "--device", "cpu", "--precision", "fp32")


def figures_of(script: str, tmp_path, *options: object) -> dict:
    result = run_script(script, *options, "--json", tmp_path / "figures.json")
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / "figures.json").read_text())


def test_the_training_benchmark_compares_equal_steps(tmp_path):
    figures = figures_of("benchmark_training", tmp_path, *SMALL, "--turns", 1)
    assert figures["losses_compared"] == 8
    assert figures["largest_loss_difference"] < 1e-3
    assert figures["ratio"] == pytest.approx(figures["plain_ms"] / figures["ours_ms"], rel=0.1)
    assert figures["tflop_per_step"] >= 0
    assert figures["peak_ratio"] > 0


def test_the_end_to_end_benchmark_gives_the_time_outside_steps(folders, tmp_path):
    figures = figures_of("benchmark_training", tmp_path, *SMALL, "--turns", 1, "--end-to-end", *folders, "--steps", 4)
    assert figures["steps"] == 4
    assert figures["share_outside"] < 1
    assert figures["samples_per_second"] > 0


def test_the_translation_benchmark_gives_every_figure(tmp_path):
    options = ("--width", 4, "--photos", 1, "--small", 2, "--turns", 1, "--device", "cpu")
    figures = figures_of("benchmark_translation", tmp_path, *options)
    assert figures["photos_ratio"] == pytest.approx(figures["photos_folder_s"] / figures["photos_network_s"], rel=0.1)
    assert figures["small_ratio"] > 0
