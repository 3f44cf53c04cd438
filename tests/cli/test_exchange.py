"""`import`, `export` and `train --init-from` say what they did, and what they will not do."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from cyclegan.checkpoints.model_file import load_model, load_model_info, networks_in, save_model
from cyclegan.cli.export import format_of
from cyclegan.errors import UsageError
from cyclegan.images import read_picture
from cyclegan.reference.pth import to_reference
from tests.cli.shared import TINY, assert_a_sentence
from tests.pth_files import save_networks, small_generator
from tests.reference.test_importing import Payload
from tests.support.models import write_model


def test_an_import_says_what_it_found(command, tmp_path):
    save_networks(tmp_path / "theirs")
    result = command("import", "theirs", "--output", "m.safetensors")
    assert result.stdout == (
        "Imported: m.safetensors (a2b, b2a, disc_a, disc_b; ResNet, residual blocks: 1, width 4, instance norm)\n"
    )
    again = ("import", "theirs", "--output", "m.safetensors", "--overwrite")
    facts = json.loads(command(*again, "--json", "--quiet").stdout)
    assert facts["networks"] == ["a2b", "b2a", "disc_a", "disc_b"]
    assert (facts["model"], facts["generator"]["blocks"], facts["discriminator"]["layers"]) == ("m.safetensors", 1, 2)
    assert command(*again, "--quiet").stdout == ""


def test_a_grey_domain_is_told(command, tmp_path):
    save_networks(tmp_path / "theirs", a=1)
    result = command("import", "theirs", "--output", "m.safetensors")
    assert result.stdout.endswith("ResNet, residual blocks: 1, width 4, instance norm; grey: A)\n")
    facts = json.loads(command("import", "theirs", "--output", "m.safetensors", "--overwrite", "--json").stdout)
    assert (facts["channels_a"], facts["channels_b"]) == (1, 3)


def test_a_released_model_translates_its_way_and_says_so_for_the_other(command, folders, tmp_path):
    torch.save(to_reference(small_generator()), tmp_path / "latest_net_G.pth")
    names = ("--domain-a", "horse", "--domain-b", "zebra")
    command("import", "latest_net_G.pth", "--output", "m.safetensors", *names)
    there = command("translate", "horses/1.png", "--model", "m.safetensors", "--device", "cpu")
    assert there.stdout.startswith("1 translated to zebra")
    back = command("translate", "zebras/1.png", "--model", "m.safetensors", "--to", "horse")
    assert_a_sentence(back, "m.safetensors translates one way only, a2b", "b2a was asked for")
    program = command("export", "m.safetensors", "--output", "m.onnx", "--format", "onnx", "--direction", "b2a")
    assert_a_sentence(program, "m.safetensors translates one way only, a2b", "b2a was asked for")


def test_a_file_that_would_run_code_is_refused_and_nothing_is_written(command, tmp_path):
    torch.save({"model.1.weight": torch.zeros(4, 3, 7, 7), "x": Payload(tmp_path / "ran")}, tmp_path / "net_G.pth")
    result = command("import", "net_G.pth", "--output", "m.safetensors")
    assert_a_sentence(result, "net_G.pth was refused: it carries code", "nothing in it was run")
    assert [path.name for path in tmp_path.iterdir()] == ["net_G.pth"]


def test_a_run_s_model_is_written_as_the_authors_files(command, tmp_path):
    write_model(tmp_path / "checkpoints" / "horses2zebras" / "model.safetensors")
    result = command("export", "horses2zebras", "--output", "theirs", "--format", "reference", "--json")
    written = [name.rpartition("_net_")[2] for name in json.loads(result.stdout)["files"]]
    assert written == ["G_A.pth", "G_B.pth", "D_A.pth", "D_B.pth"]
    assert command("import", "theirs", "--output", "m.safetensors").returncode == 0


def test_what_only_programs_can_do_is_a_sentence_for_the_others(command, tmp_path):
    write_model(tmp_path / "m.safetensors")
    for option in (("--pictures",), ("--direction", "a2b")):
        for kind in ("cyclegan", "reference"):
            result = command("export", "m.safetensors", "--output", "x", "--format", kind, *option)
            assert_a_sentence(result, f"{option[0]} is an option of programs", "--format onnx")
    result = command("export", "m.safetensors", "--output", "x", "--format", "reference", "--half")
    assert_a_sentence(result, "the authors' code keeps weights in float32", "Leave out --half")
    assert not (tmp_path / "x").exists()


def test_a_model_in_half_precision_is_one_of_generators_alone_that_translates_the_same(
    command, folders, tmp_path, without_shape_checks
):
    write_model(tmp_path / "m.safetensors")
    assert command("export", "m.safetensors", "--output", "half.safetensors", "--half").returncode == 0
    assert networks_in(tmp_path / "half.safetensors") == {"a2b", "b2a"}
    assert load_model_info(tmp_path / "half.safetensors").discriminator is None
    translated = []
    for name in ("m", "half"):
        result = ("--model", f"{name}.safetensors", "--output", f"{name}.png", "--precision", "fp32")
        written = command("translate", "horses/1.png", *result)
        assert written.returncode == 0, written.stderr
        translated.append(read_picture(tmp_path / f"{name}.png").pixels.astype(int))
    assert abs(translated[0] - translated[1]).mean() < 0.5
    assert command("inspect", "half.safetensors").returncode == 0
    for kind in ("onnx", "reference"):
        again = command("export", "half.safetensors", "--output", kind, "--format", kind)
        assert again.returncode == 0, again.stderr
    scored = command("translate", "horses/1.png", "--model", "half.safetensors", "--output", "s.png", "--scores")
    assert_a_sentence(scored, "half.safetensors holds no discriminators")


def test_a_training_says_what_it_begins_with_and_fails_before_anything_moves(command, folders, tmp_path):
    torch.save(to_reference(small_generator(width=8)), tmp_path / "net_G_A.pth")
    command("import", "net_G_A.pth", "--output", "m.safetensors")
    begun = command("train", "horses", "zebras", *TINY, "--init-from", "m.safetensors")
    assert begun.returncode == 0, begun.stderr
    assert "weights of  m.safetensors: a2b" in begun.stderr
    (tmp_path / "m.safetensors").unlink()
    again = command("train", "horses", "zebras", *TINY, "--init-from", "m.safetensors", "--max-steps", 6)
    assert (again.returncode, "weights of" in again.stderr) == (0, False)
    failed = command("train", "horses", "zebras", *TINY, "--init-from", "m.safetensors", "--fresh")
    assert_a_sentence(failed, "there is no model m.safetensors")
    write_model(tmp_path / "m.safetensors")
    other = command("train", "horses", "zebras", *TINY, "--init-from", "m.safetensors", "--fresh")
    assert_a_sentence(other, "m.safetensors holds networks of other settings: generator.width (was 4, now 8)", "--set")
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["horses2zebras"]


@pytest.mark.parametrize("options", [("--format", "onnx"), ("--format", "program")])
def test_a_model_without_generators_is_an_error(command, tmp_path, options):
    info, weights = load_model(write_model(tmp_path / "m.safetensors"))
    save_model(tmp_path / "d.safetensors", info, {n: w for n, w in weights.items() if n.startswith("disc")})
    result = command("export", "d.safetensors", "--output", "x", *options)
    assert_a_sentence(result, "does not hold the networks that it describes")


def test_an_output_that_is_a_folder_is_a_sentence(command, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "folder").mkdir()
    assert_a_sentence(command("export", "m.safetensors", "--output", "folder"), "folder cannot be written")
    (tmp_path / "file").touch()
    result = command("export", "m.safetensors", "--output", "file", "--format", "reference")
    assert_a_sentence(result, "cannot be written")


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ("m.safetensors", ()),
        ("m", ("--format", "cyclegan")),
        ("m.onnx", ()),
        ("m.pt2", ()),
        ("m.xml", ()),
        ("theirs/latest_net_D_A.pth", ("--format", "reference")),
    ],
)
def test_an_export_replaces_nothing_unless_told_to(command, tmp_path, output: str, options):
    write_model(tmp_path / "model.safetensors")
    (tmp_path / output).parent.mkdir(exist_ok=True)
    (tmp_path / output).write_text("precious")
    place = output.partition("/")[0]
    result = command("export", "model.safetensors", "--output", place, *options)
    assert_a_sentence(result, f"{output} exists already", "--overwrite")
    assert (tmp_path / output).read_text() == "precious"
    if options:
        assert command("export", "model.safetensors", "--output", place, *options, "--overwrite").returncode == 0
        assert (tmp_path / output).read_bytes() != b"precious"


def test_an_import_replaces_nothing_unless_told_to(command, tmp_path):
    save_networks(tmp_path / "theirs")
    (tmp_path / "m.safetensors").write_text("precious")
    result = command("import", "theirs", "--output", "m.safetensors")
    assert_a_sentence(result, "m.safetensors exists already", "--overwrite")
    assert (tmp_path / "m.safetensors").read_text() == "precious"
    assert command("import", "theirs", "--output", "m.safetensors", "--overwrite").returncode == 0
    assert networks_in(tmp_path / "m.safetensors") == {"a2b", "b2a", "disc_a", "disc_b"}
    assert_a_sentence(command("import", "theirs", "--output", "m.onnx"), "m.onnx is not named like a model file")


@pytest.mark.parametrize(
    ("output", "wanted", "result"),
    [
        ("m.onnx", None, "onnx"),
        ("M.ONNX", None, "onnx"),
        ("m.pt2", None, "program"),
        ("m.xml", None, "openvino"),
        ("m.safetensors", None, "cyclegan"),
        ("run1.5", None, "cyclegan"),
        ("m", "onnx", "onnx"),
        ("m.pt", "program", "program"),
        ("theirs", "reference", "reference"),
        ("page", "web", "web"),
    ],
)
def test_the_format_of_an_export_follows_its_suffix(output: str, wanted, result: str):
    assert format_of(Path(output), wanted) == result


@pytest.mark.parametrize(
    ("output", "wanted", "answer"),
    [
        ("m.onnx", "program", "contradict each other"),
        ("m.onnx", "cyclegan", "contradict each other"),
        ("m.safetensors", "onnx", "contradict each other"),
        ("m.pt2", "onnx", "contradict each other"),
        ("m.pth", "cyclegan", "contradict each other"),
        ("m.pt", "onnx", "contradict each other"),
        ("m.pth", "reference", "writes a folder"),
        ("m.onnx", "reference", "writes a folder"),
        ("m.onnx", "web", "writes a folder"),
        ("m", "openvino", "does not end in .xml"),
        ("m.xml", "onnx", "contradict each other"),
        ("m.pth", None, "a .pth file for each network"),
        ("m.tflite", None, "names no format"),
        ("m.pt", None, "names no format"),
    ],
)
def test_a_suffix_that_contradicts_the_format_is_an_error(output: str, wanted, answer: str):
    with pytest.raises(UsageError, match=answer):
        format_of(Path(output), wanted)


def test_a_place_that_cannot_be_written_is_told_before_an_export(command, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (tmp_path / "file").touch()
    for output, options in (("file/m.onnx", ()), ("/proc/none/m.safetensors", ()), ("file", ("--format", "reference"))):
        result = command("export", "m.safetensors", "--output", output, *options)
        assert_a_sentence(result, "cannot be written to", "--output")


@pytest.mark.parametrize("key", ["state_dict", "model", "params_ema"])
def test_a_wrapped_file_is_imported(command, tmp_path, key: str):
    torch.save({key: to_reference(small_generator()), "epoch": 3}, tmp_path / "latest_net_G_A.pth")
    result = command("import", "latest_net_G_A.pth", "--output", "m.safetensors")
    assert result.stdout.startswith("Imported: m.safetensors (a2b; ResNet, residual blocks: 1"), result.stderr


def test_a_pth_file_given_as_a_model_names_the_import(command, tmp_path):
    save_networks(tmp_path / "theirs")
    torch.save({"a": torch.zeros(1)}, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "renamed.safetensors").write_bytes((tmp_path / "theirs" / "latest_net_G_A.pth").read_bytes())
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for model in ("theirs/latest_net_G_A.pth", "theirs", "legacy.pt", "renamed.safetensors"):
        for words in (("translate", "a.png", "--model", model), ("export", model, "--output", "m.onnx")):
            assert_a_sentence(command(*words), f"cyclegan import {model} --output")
    (tmp_path / "m.onnx").write_bytes(b"some bytes")
    assert_a_sentence(command("translate", "a.png", "--model", "m.onnx"), "m.onnx is an exported program")
