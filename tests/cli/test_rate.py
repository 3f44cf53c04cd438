"""`rate` writes a sheet, and reads the answers to it."""

import json

import pytest

from tests.cli.shared import assert_a_sentence
from tests.support.models import write_model
from tests.support.rating import write_answers


def test_a_sheet_of_two_models_is_written(command, folders, tmp_path):
    for name in ("one", "two"):
        write_model(tmp_path / f"{name}.safetensors")
    (folders[0] / "damaged.png").write_bytes(b"damaged")
    arguments = ("--model", "one.safetensors", "--model", "two.safetensors", "--size", 32, "--json")
    result = command("rate", "horses", *arguments, "--to", "zebras")
    assert_a_sentence(result, "damaged.png", status=1)
    facts = json.loads(result.stdout)
    assert facts["candidates"] == ["one, 7 steps", "two, 7 steps"]
    assert (facts["written"], facts["count"]) == ("rating.html", 5)
    assert "Which looks more like a picture of zebras?" in (tmp_path / "rating.html").read_text()


def test_photographs_without_counterparts_are_counted(command, folders):
    # A picture that is named alone is not in a sub-folder.
    arguments = ("rate", "horses/1.png", "horses/deeper/4.PNG", "--pictures", "horses", "--pictures", "horses")
    result = command(*arguments)
    assert "Left out, as a folder has no picture of their name: 1." in result.stderr
    assert "rating.html: 1 choice between horses (first) and horses (second)." in result.stdout
    assert_a_sentence(command(*arguments), "rating.html", "exists already")


def test_answers_give_the_preference_with_its_interval(command, tmp_path):
    trials = [(0, "left")] * 8 + [(0, "right")] * 2 + [(0, "none"), (0, None)]
    write_answers(tmp_path / "a.json", ("mine", "theirs"), trials)
    text = command("rate", "a.json").stdout
    assert "mine: preferred in 8 of 10 decided answers, 80.0% (95 %: 49.0% to 94.3%)" in text
    assert "No difference: 1 of 11 answers, which count for neither." in text
    assert "do not say which" in text
    facts = json.loads(command("rate", "a.json", "--json").stdout)
    assert (facts["share"], facts["preferred"], facts["decided"]) == (0.8, [8, 2], 10)
    assert facts["interval"]["low"] == pytest.approx(0.4902, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("horses", "--model", "nobody"), "there is no model nobody"),
        (("horses",), "a sheet compares two candidates, and 0 are named"),
        (("horses", "--output", "x.png"), "x.png does not end like a page"),
        (("horses", "--to", "zebras"), "--to and --direction need a model"),
        (("a.json", "--model", "m"), "for a new sheet"),
        (("b.json",), "there is no file b.json"),
    ],
)
def test_what_cannot_be_rated_is_an_error(command, folders, arguments, words):
    assert_a_sentence(command("rate", *arguments), words)
