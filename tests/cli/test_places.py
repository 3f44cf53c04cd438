"""Where translations go is checked before any work is done, and which model makes them is said."""

import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import cyclegan.translation
from cyclegan.atomic import require_writable
from cyclegan.errors import DiskError
from tests.cli.shared import POSIX, assert_a_sentence
from tests.support.models import write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "m.safetensors")


@pytest.fixture
def anybody() -> Iterator[Path]:
    """Return a folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def unused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a model that must not be loaded."""

    def load(*_, **__):
        raise AssertionError("the model was loaded first")

    monkeypatch.setattr("cyclegan.translation.folders.Translator", load)
    monkeypatch.setattr(cyclegan.translation, "Translator", load)


def translated(command, *arguments: object, status: int = 0):
    result = command("translate", *arguments, "--model", "m.safetensors", "--device", "cpu")
    assert result.returncode == status, result.stderr
    return result


@pytest.mark.skipif(not POSIX, reason="no such places there")
@pytest.mark.parametrize("place", ["/proc/none", "/dev/null", "file", "file/below", "n" * 300])
@pytest.mark.parametrize("inputs", [("horses",), ("horses", "zebras"), ("horses/1.png", "horses/2.jpg")])
def test_an_unwritable_output_is_an_error_before_the_work(command, folders, unused, place, inputs):
    file = folders[0].with_name("file")
    file.write_text("mine")
    result = translated(command, *inputs, "--output", place, status=2)
    assert_a_sentence(result, "--output" if place != "file" else "file")
    assert result.stderr.count("\n") == 1
    assert file.read_text() == "mine"


@pytest.mark.skipif(not POSIX or os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("place", ["locked", "locked/new", "locked/new/deeper", "locked/horses_zebras"])
def test_a_folder_without_permission_is_an_error(anybody, place):
    (anybody / "locked").mkdir()
    (anybody / "locked").chmod(0o555)
    os.seteuid(65534)
    try:
        with pytest.raises(DiskError, match=f"{place} cannot be written to: Permission denied") as told:
            require_writable(anybody / place)
    finally:
        os.seteuid(0)
    assert "--output" in told.value.hint


@pytest.mark.parametrize("options", [(), ("--output", "new/deeper"), ("--output", "new/x.zip"), ("--watch",)])
def test_outputs_are_checked_before_the_model_is_loaded(command, folders, unused, monkeypatch, options):
    def refuse(folder: Path) -> None:
        raise DiskError(f"{folder.name} cannot be written to.", "Choose another place with --output.")

    monkeypatch.setattr("cyclegan.atomic.require_writable", refuse)
    monkeypatch.setattr("cyclegan.translation.outputs.require_writable", refuse)
    result = translated(command, "horses", *options, status=2)
    assert_a_sentence(result, "cannot be written to", "--output")
    assert result.stderr.count("\n") == 1


def test_the_check_leaves_no_folder(command, folders, model, tmp_path):
    (folders[0] / "1.png").write_text("damaged")
    translated(command, "horses/1.png", "--output", "new/deeper", status=1)
    assert not (tmp_path / "new").exists()


def test_existing_outputs_need_no_writable_folder(command, folders, model, monkeypatch):
    translated(command, "horses")
    monkeypatch.setattr("cyclegan.translation.outputs.require_writable", lambda _: 1 / 0)
    assert "5 existed already" in translated(command, "horses").stdout


@pytest.mark.parametrize("place", ["out.xyz", "out.jpg", "out.tar", "out.7z", "out.MP4"])
@pytest.mark.parametrize("inputs", [("horses",), ("horses/1.png", "horses/2.jpg")])
def test_a_folder_with_the_name_of_a_file_is_an_error(command, folders, unused, place, inputs):
    result = translated(command, *inputs, "--output", place, status=2)
    assert_a_sentence(result, f"{place} is named like a", "Name a folder")
    assert not folders[0].with_name(place).exists()


def test_an_output_of_an_unknown_format_is_an_error(command, folders, unused):
    assert_a_sentence(translated(command, "horses/1.png", "--output", "out.xyz", status=2), "cannot be written")
    result = translated(command, "horses/1.png", "--output", "out.jpg", "--format", "png", status=2)
    assert_a_sentence(result, "out.jpg and --format png contradict each other")


@pytest.mark.parametrize("output", ["run1.5", "photos.2024", "there.old"])
def test_a_folder_with_a_dot_is_a_folder(command, folders, model, tmp_path, output):
    (tmp_path / "there.old").mkdir()
    translated(command, "horses", "--output", output)
    assert (tmp_path / output / "1.png").is_file()


@pytest.mark.parametrize(
    "contents",
    [
        (("horses",), ["1.png", "2.jpg", "3.webp", "deeper/4.PNG", "deeper/5.jpeg", "scores.csv"]),
        (("horses/1.png",), ["1.png", "scores.csv"]),
        (("horses/1.png", "zebras/2.jpg"), ["1.png", "2.jpg", "scores.csv"]),
    ],
)
@pytest.mark.usefixtures("folders", "model")
def test_an_archive_holds_the_files_of_a_folder(command, tmp_path, contents):
    inputs, names = contents
    result = translated(command, *inputs, "--output", "new/images.zip", "--scores", "--json")
    translated(command, *inputs, "--output", "folder", "--scores")
    with zipfile.ZipFile(tmp_path / "new" / "images.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == names
        for name in names:
            assert archive.read(name) == (tmp_path / "folder" / name).read_bytes()
    assert json.loads(result.stdout)["written"] == [f"new/images.zip/{name}" for name in names if name != "scores.csv"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["images.zip"]


def test_an_archive_is_not_replaced_without_overwrite(command, folders, model, tmp_path):
    (tmp_path / "images.zip").write_text("precious")
    result = translated(command, "horses", "--output", "images.zip", status=2)
    assert_a_sentence(result, "images.zip exists already", "--overwrite")
    assert (tmp_path / "images.zip").read_text() == "precious"
    translated(command, "horses", "--output", "images.zip", "--overwrite")
    assert zipfile.is_zipfile(tmp_path / "images.zip")


def test_an_archive_is_written_without_failures(command, folders, model, tmp_path):
    (folders[0] / "1.png").write_text("damaged")
    translated(command, "horses", "--output", "images.zip", status=1)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert "1.png" not in archive.namelist()
    translated(command, "horses/1.png", "--output", "none.zip", status=1)
    assert not (tmp_path / "none.zip").exists()


def test_an_interruption_leaves_no_archive(command, folders, model, tmp_path, monkeypatch):
    from cyclegan.translation import TranslateResult, translate_into_archive

    outcome = translate_into_archive(tmp_path / "images.zip", lambda _: TranslateResult(), interrupted=lambda: True)
    assert "images.zip was not written" in outcome.notes[0]
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".cyclegan*"))


@pytest.mark.skipif(not POSIX, reason="other names are allowed there")
def test_an_archive_takes_names_of_any_bytes(command, model, tmp_path):
    (tmp_path / "odd").mkdir()
    Image.new("RGB", (9, 7)).save(os.fsencode(tmp_path / "odd") + b"/caf\xe9.png")
    translated(command, "odd", "--output", "images.zip")
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert len(archive.namelist()) == 1


def test_an_archive_excludes_watch_pipe_and_ray(command, folders, model):
    for options in (("horses", "--watch"), ("-",), ("horses", "--engine", "ray")):
        assert_a_sentence(translated(command, *options, "--output", "x.zip", status=2), "a .zip archive is without")


def test_a_pipe_replaces_no_file_without_overwrite(command, model, tmp_path):
    (tmp_path / "x.png").write_text("precious")
    assert_a_sentence(translated(command, "-", "--output", "x.png", status=2), "x.png exists already", "--overwrite")
    assert (tmp_path / "x.png").read_text() == "precious"


def test_the_model_is_printed(command, folders, tmp_path):
    for number, name in enumerate(("good", "other")):
        path = write_model(tmp_path / "checkpoints" / name / "model.safetensors", steps=1234 + number)
        os.utime(path, (number, number))
    result = command("translate", "horses", "--device", "cpu")
    place = Path("checkpoints") / "other" / "model.safetensors"
    assert f"Model: other, horses to zebras (a2b), 1,235 steps trained, from {place}\n" in result.stderr
    facts = json.loads(command("translate", "zebras", "--to", "horses", "--model", "good", "--json").stdout)
    assert (facts["name"], facts["steps"], facts["direction"]) == ("good", 1234, "b2a")
    assert command("translate", "horses", "--quiet", "--device", "cpu").stderr == ""


def test_export_prints_the_model(command, tmp_path):
    write_model(tmp_path / "checkpoints" / "good" / "model.safetensors")
    result = command("export", "good", "--output", "m.safetensors")
    assert "Model: good, 7 steps trained, from checkpoints" in result.stderr


def test_an_error_in_the_table_hides_no_failures(command, folders, model, monkeypatch):
    def refuse(_: object) -> None:
        raise DiskError("scores.csv cannot be written.", "Choose another place.")

    (folders[0] / "1.png").write_text("damaged")
    monkeypatch.setattr("cyclegan.translation.folders.write_scores", refuse)
    result = translated(command, "horses", "--scores", status=1)
    assert_a_sentence(result, "1.png is not a picture", "scores.csv cannot be written", status=1)
