"""`evaluate` says all that makes its numbers comparable, and what it will not do."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import assert_a_sentence
from tests.models_for_tests import write_model
from tests.test_evaluation import SIDE, SmallEye, draw, save_program


@pytest.fixture
def places(tmp_path: Path) -> tuple[object, ...]:
    """Draw two folders and save an extractor; return what comes behind `evaluate`."""
    draw(tmp_path / "a", 6, seed=1)
    draw(tmp_path / "b", 8, seed=2, side=40)
    save_program(SmallEye(), tmp_path / "eye.pt2")
    return "a", "b", "--extractor", "eye.pt2", "--extractor-size", SIDE, "--size", SIDE, "--device", "cpu"


def test_two_folders_are_compared_and_everything_is_said(command, places):
    said = command("evaluate", *places).stdout
    for words in (
        "6 translations and 8 real pictures, as squares of 32 pixels, for which 8 were resized",
        "eye.pt2, 6 features, SHA-256 ",
        "clean resizing:    FID ",
        "legacy resizing:   FID ",
        "KID x 1000 ",
        "; 100 subsets of 6)",
        "Note: eye.pt2 is not the network of the papers",
        "Note: 6 pictures are too few for the FID of 6 features",
    ):
        assert words in said
    assert command("evaluate", *places, "--quiet").stdout == ""


def test_json_holds_every_number(command, places):
    facts = json.loads(command("evaluate", *places, "--json", "--resize", "clean", "--source", "a").stdout)
    assert list(facts["distances"]) == ["clean"]
    assert (facts["translated"], facts["real"]) == ({"pictures": 6, "resized": 0}, {"pictures": 8, "resized": 8})
    assert facts["extractor"]["comparable_with_papers"] is False
    assert facts["faithfulness"]["ssim"] == pytest.approx(1)
    assert facts["answers"] is None
    assert facts["library"].startswith("torch-fidelity ")


def test_a_model_is_evaluated_as_its_translations_are(command, places, tmp_path):
    write_model(tmp_path / "m.safetensors")
    model = json.loads(command("evaluate", *places, "--model", "m.safetensors", "--to", "zebras", "--json").stdout)
    told = command("translate", "a", "--model", "m.safetensors", "--output", "t", "--precision", "fp32")
    assert told.returncode == 0, told.stderr
    folders = json.loads(command("evaluate", "t", *places[1:], "--source", "a", "--json").stdout)
    assert (model["direction"], model["model"]) == ("a2b", "m.safetensors")
    for key in ("distances", "faithfulness"):
        assert model[key] == folders[key]
    assert model["faithfulness"]["ssim"] < 1


def test_a_damaged_picture_is_named_and_the_rest_compared(command, places, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "a" / "broken.png").write_bytes(b"no picture")
    for model in ((), ("--model", "m.safetensors")):
        result = command("evaluate", *places, *model)
        assert_a_sentence(result, "a/broken.png is not a picture", status=1)
        assert "6 translations" in result.stdout


def test_true_answers_are_compared_when_asked(command, places):
    said = command("evaluate", "a", *places[1:], "--paired")
    assert "True answers:      SSIM " in said.stdout
    assert "over 6 pictures" in said.stdout


def test_what_does_not_fit_together_is_a_sentence(command, places):
    assert_a_sentence(command("evaluate", *places, "--to", "zebras"), "--to and --direction are of a model")
    result = command("evaluate", *places, "--model", "m.safetensors", "--source", "a")
    assert_a_sentence(result, "Leave out --source or --model")
    assert_a_sentence(command("evaluate", *places, "--model", "m.safetensors"), "there is no model m.safetensors")
    assert_a_sentence(command("evaluate", "nowhere", *places[1:]), "there is no folder nowhere")


def test_without_weights_it_says_how_to_get_them_and_asks_no_network(command, places, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    result = command("evaluate", "a", "b")
    assert_a_sentence(result, "weights are not on this machine", "Download https://", "--extractor")
