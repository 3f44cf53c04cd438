"""`translate --list-models` lists what `translate --model` finds by its name."""

import json

from cyclegan.checkpoints.find import find_model, shipped_models, summary_in_card
from tests.support.models import write_model


def test_shipped_models_and_runs_are_listed_with_their_purposes(command, tmp_path):
    write_model(tmp_path / "checkpoints" / "mine" / "model.safetensors", steps_a2b=7, steps_b2a=4)
    lines = command("translate", "--list-models").stdout.splitlines()
    for line, (name, path) in zip(lines, shipped_models().items(), strict=False):
        assert line.split(maxsplit=1) == [name, summary_in_card(path)]
    assert lines[-1].split(maxsplit=1) == [
        "mine",
        "Your run: horses to zebras and back, 32 px, 7 steps (a2b) and 4 (b2a).",
    ]

    listed = json.loads(command("translate", "--list-models", "--json").stdout)
    assert [model["name"] for model in listed] == [*shipped_models(), "mine"]
    assert all(find_model(model["name"]).is_file() for model in listed)
    assert [listed[-1][name] for name in ("steps", "steps_a2b", "steps_b2a")] == [7, 7, 4]


def test_a_damaged_model_is_named_and_the_others_listed(command, tmp_path):
    write_model(tmp_path / "checkpoints" / "mine" / "model.safetensors").write_bytes(b"damaged")
    result = command("translate", "--list-models")
    assert "mine" in result.stderr
    assert len(result.stdout.splitlines()) == len(shipped_models())


def test_translate_without_an_input_is_an_error(command):
    result = command("translate")
    assert result.returncode == 2
    assert "no picture, video or folder is named" in result.stderr
