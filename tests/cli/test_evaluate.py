"""`cyclegan evaluate` on the command line."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyclegan.evaluation import preparation
from cyclegan.evaluation.extractors import WEIGHT_FILE_NAMES
from tests.cli.shared import assert_a_sentence
from tests.support.extractors import SIDE, SmallExtractor, draw, save_program
from tests.support.file_server import Page, serving
from tests.support.models import write_model


@pytest.fixture
def arguments(tmp_path: Path) -> tuple[object, ...]:
    """Draw two folders and save an extractor; return the arguments of `evaluate`."""
    draw(tmp_path / "a", 6, seed=1)
    draw(tmp_path / "b", 8, seed=2, side=40)
    save_program(SmallExtractor(), tmp_path / "eye.pt2")
    return "a", "b", "--extractor", "eye.pt2", "--extractor-size", SIDE, "--size", SIDE, "--device", "cpu"


def test_two_folders_are_compared(command, arguments):
    said = command("evaluate", *arguments).stdout
    for words in (
        "6 translations and 8 real pictures, as squares of 32 pixels (8 of them resized)",
        "eye.pt2, 6 features, SHA-256 ",
        "clean resizing:    FID ",
        "legacy resizing:   FID ",
        "KID x 1000 ",
        "; 100 subsets of 6)",
        "Note: 6 pictures are too few for 5 neighbours: precision and recall have k = 3, density and coverage k = 4.",
        "Note: eye.pt2 is not the network of the papers",
        "Note: 6 pictures are too few for the FID of 6 features",
    ):
        assert words in said
    score = r"\d\.\d{3} \(95 %: \d\.\d{3} to \d\.\d{3}\)"
    assert len(re.findall(f"\n {{19}}precision {score}   recall {score}\n", said)) == 2
    assert len(re.findall(f"\n {{19}}density {score}   coverage {score}\n", said)) == 2
    assert command("evaluate", *arguments, "--quiet").stdout == ""


def test_json_holds_every_score(command, arguments):
    facts = json.loads(command("evaluate", *arguments, "--json", "--resize", "clean", "--source", "a").stdout)
    assert list(facts["distances"]) == ["clean"]
    assert (facts["translated"], facts["real"]) == ({"pictures": 6, "resized": 0}, {"pictures": 8, "resized": 8})
    assert facts["extractor"]["comparable_with_papers"] is False
    assert facts["faithfulness"]["ssim"] == pytest.approx(1)
    assert facts["faithfulness"]["ssim_interval"] == pytest.approx({"low": 1, "high": 1})
    assert facts["faithfulness"]["psnr_interval"] is None
    assert facts["counterparts"] is None
    for name, k in {"precision": 3, "recall": 3, "density": 4, "coverage": 4}.items():
        score = facts["distances"]["clean"][name]
        assert (list(score), score["k"]) == (["value", "low", "high", "k"], k)
        assert 0 <= score["low"] <= score["value"] <= score["high"]
    assert facts["library"].startswith("torch-fidelity ")


def test_a_model_scores_as_its_translations_do(command, arguments, tmp_path):
    write_model(tmp_path / "m.safetensors")
    model = json.loads(command("evaluate", *arguments, "--model", "m.safetensors", "--to", "zebras", "--json").stdout)
    told = command("translate", "a", "--model", "m.safetensors", "--output", "t", "--precision", "fp32")
    assert told.returncode == 0, told.stderr
    folders = json.loads(command("evaluate", "t", *arguments[1:], "--source", "a", "--json").stdout)
    assert (model["direction"], model["model"]) == ("a2b", "m.safetensors")
    for key in ("distances", "faithfulness"):
        assert model[key] == folders[key]
    assert model["faithfulness"]["ssim"] < 1


def test_a_damaged_picture_is_named_and_the_others_compared(command, arguments, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "a" / "broken.png").write_bytes(b"no picture")
    for model in ((), ("--model", "m.safetensors")):
        result = command("evaluate", *arguments, *model)
        assert_a_sentence(result, "a/broken.png is not a picture", status=1)
        assert "6 translations" in result.stdout


def test_paired_compares_with_true_counterparts(command, arguments):
    said = command("evaluate", "a", *arguments[1:], "--paired")
    assert "Counterparts:      SSIM " in said.stdout
    assert "of 255, 6 pictures" in said.stdout
    assert re.search(r"mean absolute error ([\d.]+) \(95 %: [\d.]+ to [\d.]+\) of", said.stdout)


def test_contradictory_options_are_errors(command, arguments):
    assert_a_sentence(command("evaluate", *arguments, "--to", "zebras"), "--to and --direction need a model")
    result = command("evaluate", *arguments, "--model", "m.safetensors", "--source", "a")
    assert_a_sentence(result, "Leave out --source or --model")
    assert_a_sentence(command("evaluate", *arguments, "--model", "m.safetensors"), "there is no model m.safetensors")
    assert_a_sentence(command("evaluate", "nowhere", *arguments[1:]), "there is no folder nowhere")


@pytest.fixture
def served(monkeypatch, tmp_path) -> Iterator[Page]:
    """Serve a small extractor as Inception's weights; use an empty cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    page = Page(save_program(SmallExtractor(), tmp_path / "eye.pt2", 299).read_bytes())
    monkeypatch.setattr(preparation, "INCEPTION_SHA256", hashlib.sha256(page.content).hexdigest())
    with serving() as server:
        server.pages["/weights.pth"] = page
        monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", server.url("/weights.pth"))
        yield page


def test_weights_are_downloaded_once_and_resumed(command, arguments, served, tmp_path):
    served.cuts = 4 * [len(served.content) // 8]
    result = command("evaluate", "a", "b", "--device", "cpu")
    assert_a_sentence(
        result, "weights are not on this machine", "127.0.0.1 sent only a part of the file", "--extractor"
    )
    served.cuts = []
    result = command("evaluate", "a", "b", "--device", "cpu")
    assert result.returncode == 0, result.stderr
    assert "Downloading Inception's weights (91 MiB) from 127.0.0.1." in result.stderr
    megabytes = f"{len(served.content) / 1e6:.1f} MB"
    assert f"Inception's weights: {megabytes} of {megabytes}" in result.stderr
    assert [path.name for path in (tmp_path / "torch" / "hub" / "checkpoints").iterdir()] == [WEIGHT_FILE_NAMES[0]]
    served.content = b""
    assert "Downloading" not in command("evaluate", "a", "b", "--device", "cpu").stderr


def test_wrong_weights_are_deleted(command, arguments, served, tmp_path):
    served.content += b"more"
    assert_a_sentence(command("evaluate", "a", "b"), "127.0.0.1 sent another file: its SHA-256 is", "--extractor")
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []


def test_missing_weights_without_network_are_an_error(command, arguments, served, monkeypatch):
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", "http://127.0.0.1:9/w.pth")
    result = command("evaluate", "a", "b")
    assert_a_sentence(result, "weights are not on this machine", "cannot be reached", "Download http://", "--extractor")


def test_an_own_extractor_needs_no_network(command, arguments, served):
    assert "Downloading" not in command("evaluate", *arguments).stderr
