"""What is passed over in folders is counted and named by kind, by every command."""

import json
from pathlib import Path

import pytest

from tests.cli.shared import TINY
from tests.support.models import write_model
from tests.support.pictures import psd

WORDS = "3 files were passed over: 2 .nef, 1 .xcf."


@pytest.fixture
def mixed(folders) -> tuple[Path, Path]:
    """Two folders of pictures, the first with files that are not read."""
    for name in ("a.nef", "deeper/B.NEF", "c.xcf", ".hidden.nef"):
        (folders[0] / name).write_bytes(b"anything")
    return folders


def test_translate_counts_files_that_it_passes_over(command, mixed, tmp_path):
    write_model(tmp_path / "m.safetensors")
    arguments = ("--model", "m.safetensors", "--device", "cpu", "--overwrite")
    said = command("translate", "horses", *arguments)
    assert said.returncode == 0
    assert f"cyclegan: {WORDS}" in said.stderr
    facts = command("translate", "horses", "--json", *arguments)
    assert json.loads(facts.stdout)["passed_over"] == {".nef": 2, ".xcf": 1}
    assert command("translate", "horses", "--quiet", *arguments).stderr == ""


def test_outputs_inside_the_input_are_not_counted(command, mixed, tmp_path):
    write_model(tmp_path / "m.safetensors")
    for _ in range(2):
        said = command("translate", "horses", "--output", "horses/new", "--scores", "--model", "m.safetensors")
        assert WORDS in said.stderr


def test_train_and_inspect_count_too(command, mixed):
    assert f"horses: {WORDS}" in command("train", "horses", "zebras", *TINY, "--dry-run").stderr
    assert f"horses: {WORDS}" in command("inspect", "horses").stdout
    facts = json.loads(command("inspect", "horses", "--json").stdout)
    assert facts["folders"]["folders"][0]["passed_over"] == {".nef": 2, ".xcf": 1}


def test_an_unreadable_kind_of_file_is_named(command, mixed, tmp_path):
    write_model(tmp_path / "m.safetensors")
    said = command("translate", "horses/a.nef", "--model", "m.safetensors", "--device", "cpu")
    assert said.returncode == 1
    assert "a.nef cannot be read here: .nef is none of the known formats. If it is a picture, save it" in said.stderr


def test_a_read_only_format_becomes_another_with_a_note(command, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "a.PSD").write_bytes(psd())
    (tmp_path / "layers" / "b.psd").write_bytes(psd())
    (tmp_path / "layers" / "b.tif").write_bytes(b"no picture")
    said = command("translate", "layers", "--model", "m.safetensors", "--device", "cpu")
    assert {path.name for path in (tmp_path / "layers_zebras").iterdir()} == {"a.tif", "b.psd.tif"}
    assert "2 .psd become .tif: .psd is read here, but not written." in said.stderr
    explicit = command("translate", "layers/a.PSD", "--output", "x.psd", "--model", "m.safetensors", "--device", "cpu")
    assert explicit.returncode == 2
    assert "x.psd: .psd is read here, but not written. Choose .tif." in explicit.stderr
    again = command("translate", "layers/a.PSD", "--format", "jpg", "--model", "m.safetensors", "--device", "cpu")
    assert again.returncode == 0
    assert (tmp_path / "layers" / "a_zebras.jpg").exists()
    assert "is read here" not in again.stderr
