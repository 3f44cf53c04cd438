"""`compare` draws pictures by rows and models by columns."""

import json

import numpy as np
import pytest
from PIL import Image

from cyclegan.checkpoints.find import shipped_models
from tests.cli.shared import assert_a_sentence
from tests.support.models import write_model


def test_runs_and_shipped_models_are_compared_by_default(command, folders, tmp_path):
    write_model(tmp_path / "checkpoints" / "mine" / "model.safetensors")
    result = command("compare", "horses", "--size", 32, "--json")
    facts = json.loads(result.stdout)
    assert [model["name"] for model in facts["models"]] == ["mine", *shipped_models()]
    assert len(facts["pictures"]) == 5
    with Image.open(tmp_path / "comparison.png") as sheet:
        assert sheet.width > 5 * 144
        assert "compositeWithTrainedAlgorithmicMedia" in str(sheet.info)


def test_models_without_the_domain_are_left_out(command, folders, tmp_path):
    write_model(tmp_path / "checkpoints" / "mine" / "model.safetensors")
    result = command("compare", "horses/1.png", "--size", 32, "--to", "winter", "--json")
    assert [model["name"] for model in json.loads(result.stdout)["models"]] == ["summer2winter"]
    assert "mine is left out: this model does not say how to reach winter" in result.stderr


def test_states_show_the_best_and_the_newest_model(command, folders, tmp_path):
    for name, steps in (("model", {}), ("best", {"steps_a2b": 5, "steps_b2a": 3})):
        write_model(tmp_path / "checkpoints" / "mine" / f"{name}.safetensors", steps=9, **steps)
    arguments = ("compare", "horses/1.png", "--size", 32, "--model", "mine", "--json", "--overwrite")
    assert [model["steps"] for model in json.loads(command(*arguments).stdout)["models"]] == [5]
    assert [model["steps"] for model in json.loads(command(*arguments, "--states").stdout)["models"]] == [5, 9]
    assert [model["steps"] for model in json.loads(command(*arguments, "--to", "horses").stdout)["models"]] == [3]


def test_unreadable_pictures_are_named_and_the_rest_compared(command, folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    (folders[0] / "empty.png").touch()
    result = command("compare", "horses", "--model", model, "--size", 32)
    assert_a_sentence(result, "empty.png is empty", status=1)
    assert "by rows, 5" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "nobody"), "there is no model nobody"),
        (("--model", "m.safetensors", "--to", "cows"), "how to reach cows"),
        (("--model", "m.safetensors", "--output", "sheet.doc"), "sheet.doc does not end like a picture"),
        (("--model", "m.safetensors", "--output", "horses/1.png"), "exists already"),
        (("--model", "m.safetensors", "--output", "horses/1.png", "--overwrite"), "written over a photograph"),
    ],
)
def test_what_cannot_be_compared_is_an_error(command, folders, tmp_path, arguments, words):
    write_model(tmp_path / "m.safetensors")
    assert_a_sentence(command("compare", "horses/1.png", *arguments), words)


def test_translations_are_pasted_beside_their_picture(command, tmp_path):
    from cyclegan.translation.contact_sheet import FONT_SIZE, GAP, LINE, MIN_COLUMN, SheetRow, draw_sheet

    assert FONT_SIZE < LINE
    colors = ("red", "blue")
    sheet = draw_sheet(
        [("original",), ("model", "7 steps")], [SheetRow("a", [Image.new("RGB", (40, 30), c) for c in colors])]
    )
    pixels, top = np.array(sheet), 2 * LINE + GAP
    assert (pixels[top : top + 30, GAP : GAP + 40] == (255, 0, 0)).all()
    assert (pixels[top : top + 30, MIN_COLUMN + 2 * GAP :][:, :40] == (0, 0, 255)).all()
