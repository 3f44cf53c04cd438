"""Translating names what it cannot read or write and does the rest."""

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cyclegan import Translator
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.cli.shared import POSIX, assert_a_sentence
from tests.support.models import write_model


def test_damaged_pictures_are_named_and_the_rest_translated(command, folders, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (folders[0] / "text.jpg").write_text("not a picture")
    (folders[0] / "empty.png").touch()
    result = command("translate", "horses", "--model", "m.safetensors")
    assert_a_sentence(result, "text.jpg is not a picture", "empty.png is empty", status=1)
    assert result.stdout.startswith("5 translated to zebras")
    assert "2 failed" in result.stdout


@pytest.mark.skipif(not POSIX, reason="other names are allowed there")
def test_odd_names_and_sizes_work(command, folders, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    Image.new("RGB", (9, 7), "orange").save(odd / "really a png.jpg", format="PNG")
    Image.new("RGB", (1, 1)).save(odd / "dot.png")
    Image.new("RGB", (20_000, 3)).save(odd / "line.png")
    Image.new("RGB", (9, 7)).save(os.fsencode(odd) + b"/caf\xe9.png")
    (odd / "folder.jpg").mkdir()
    Image.new("RGB", (9, 7)).save(odd / "folder.jpg" / "inner.png")
    (odd / "folder.jpg" / "loop").symlink_to(odd, target_is_directory=True)
    model = write_model(tmp_path / "m.safetensors")
    assert command("translate", "odd", "--model", model).returncode == 0
    written = sorted(path.name for path in (tmp_path / "odd_zebras").rglob("*") if path.is_file())
    assert written == ["caf\udce9.png", "dot.png", "inner.png", "line.png", "really a png.jpg"]
    with Image.open(tmp_path / "odd_zebras" / "really a png.jpg") as picture:
        assert (picture.format, picture.size) == ("PNG", (9, 7))


def png_that_claims(width: int, height: int, data: bytes = bytes(100)) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(header) + png_chunk(b"IDAT" + zlib.compress(data))


def png_chunk(chunk: bytes) -> bytes:
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def tiff_that_claims(width: int, height: int, rows_held: int = 0, next_page: int = 0) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 2, 273: 8, 277: 3, 278: rows_held or height, 279: 48}
    return tiff_directory(tags, next_page)


def tiff_directory(tags: dict[int, int], next_page: int) -> bytes:
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", next_page)


def test_circular_directories_in_a_file_stop_nothing(command, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    exif = b"Exif\0\0" + tiff_directory(dict.fromkeys((0x8769, 0x8825, 0xA005), 8), next_page=8)
    Image.new("RGB", (16, 16), "red").save(odd / "exif.jpg", exif=exif)
    (odd / "pages.tif").write_bytes(tiff_that_claims(4, 4, next_page=8))
    result = command("translate", "odd", "--model", write_model(tmp_path / "m.safetensors"), "--json")
    assert (result.returncode, len(json.loads(result.stdout)["written"])) == (0, 2), result.stderr


@pytest.mark.skipif(not POSIX, reason="links need a permission there")
def test_each_bad_input_has_a_message_and_the_rest_is_translated(command, folders, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    whole = (folders[0] / "2.jpg").read_bytes()
    (bad / "whole.jpg").write_bytes(whole)
    (bad / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (bad / "cut.tif").write_bytes(tiff_cut_in_half())
    (bad / "empty.png").touch()
    (bad / "text.webp").write_text("once upon a time")
    (bad / "bomb.png").write_bytes(png_that_claims(60_000, 60_000))
    (bad / "lie.png").write_bytes(png_that_claims(3_000, 3_000))
    (bad / "mostly black.png").write_bytes(png_that_claims(999, 9_999, bytes(4 * 2_998)) + png_chunk(b"IEND"))
    (bad / "vast.tif").write_bytes(tiff_that_claims(400_000, 250_000))
    (bad / "mostly black.tif").write_bytes(tiff_that_claims(4, 8_000, rows_held=4))
    (bad / "broken link.png").symlink_to(tmp_path / "nowhere.png")
    (bad / "svg.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (bad / "postscript.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    (bad / "video.mp4").write_bytes(b"\0\0\0\x18ftypmp42 and no more")
    result = command("translate", "bad", "--model", write_model(tmp_path / "m.safetensors"), "--json")
    assert_a_sentence(result, *(path.name for path in bad.iterdir() if path.name != "whole.jpg"), status=1)
    assert result.stderr.count("\n") == 1 + 14 - 1  # which model it is, and every input but one
    assert [Path(path).name for path in json.loads(result.stdout)["written"]] == ["whole.jpg"]
    assert [path.name for path in (tmp_path / "bad_zebras").iterdir()] == ["whole.jpg"]


@pytest.fixture
def anybody():
    """Return a folder that everybody may enter."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o777)
    yield home
    shutil.rmtree(home)


def as_nobody(run: Callable[[], object]) -> None:
    """Call `run` without a superuser's permissions."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        run()
    finally:
        os.seteuid(user)


@pytest.mark.skipif(not POSIX, reason="permissions are of another kind there")
def test_missing_permissions_are_failures_that_name_the_file(anybody, folders, tmp_path):
    """In this process, since another one may not be allowed to read the package either."""
    translator = Translator(write_model(tmp_path / "m.safetensors"), device="cpu")
    for name in ("in", "locked"):
        (anybody / name).mkdir()
    for name in ("1.png", "2.jpg"):
        shutil.copy(folders[0] / name, anybody / "in" / name)
    (anybody / "in" / "1.png").chmod(0)
    (anybody / "in" / "2.jpg").chmod(0o444)
    (anybody / "locked").chmod(0o555)
    outcomes = []
    for output in ("out", "locked"):
        targets = plan_targets([anybody / "in"], "zebras", output=anybody / output)
        as_nobody(
            lambda targets=targets: outcomes.append(
                translate_targets(targets, TranslateJob(translator, TranslateOptions()))
            )
        )
    assert [target.source.name for target in outcomes[0].done] == ["2.jpg"]
    assert "1.png cannot be read: Permission denied" in str(outcomes[0].failed[0])
    assert not outcomes[1].done
    assert any("locked" in str(error) and "ermission denied" in str(error) for error in outcomes[1].failed)
    assert not list((anybody / "locked").iterdir())


def tiff_cut_in_half() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(file, "TIFF")
    return file.getvalue()[:6000]


def test_a_picture_goes_through_a_pipe(tmp_path, folders):
    model = write_model(tmp_path / "m.safetensors")
    command = [sys.executable, "-m", "cyclegan", "translate", "-", "--model", str(model), "--device", "cpu"]
    source = (folders[0] / "2.jpg").read_bytes()
    for options, image_format in (([], "JPEG"), (["--format", "webp"], "WEBP")):
        ended = subprocess.run(command + options, input=source, capture_output=True, check=True, cwd=tmp_path)
        with Image.open(io.BytesIO(ended.stdout)) as picture:
            assert (picture.format, picture.size) == (image_format, (40, 60))
    ended = subprocess.run(command, input=b"no picture", capture_output=True, check=False, cwd=tmp_path)
    assert ended.returncode == 1
    assert b"standard input is not a picture" in ended.stderr
    assert ended.stdout == b""


def test_a_pipe_excludes_other_inputs(command, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    assert_a_sentence(command("translate", "-", "x.png", "--model", model), "stands for standard input")


@pytest.mark.skipif(not POSIX, reason="signals of another kind there")
def test_a_watched_folder_is_translated_until_interrupted(tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    (tmp_path / "inbox").mkdir()
    command = [sys.executable, "-m", "cyclegan", "translate", "inbox", "--watch", "--scores", "--model", str(model)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline().startswith("Model: m, horses to zebras (a2b), 7 steps trained, from ")
        assert "Watching inbox" in process.stderr.readline()
        Image.new("RGB", (20, 12)).save(tmp_path / "inbox" / "x.png")
        assert process.stdout.readline().startswith("1 translated to zebras")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert (tmp_path / "inbox_zebras" / "x.png").is_file()
    assert (tmp_path / "inbox_zebras" / "scores.csv").read_text().startswith("source,target,realism,cycle_error")


@pytest.mark.usefixtures("folders")
def test_what_is_kept_is_told_and_named_in_json(command, tmp_path):
    model = write_model(tmp_path / "m.safetensors", keep="detail=24")
    result = command("translate", "horses/1.png", "--model", model, "--output", "1.png", "--json")
    assert json.loads(result.stdout)["keep"] == "detail=24"
    piped = subprocess.run(
        [sys.executable, "-m", "cyclegan", "translate", "-", "--model", model, "--output", "2.png"],
        input=(tmp_path / "horses" / "1.png").read_bytes(),
        capture_output=True,
        cwd=tmp_path,
        check=True,
    )
    for messages in (result.stderr, piped.stderr.decode()):
        assert "the pictures keep their detail: the network sees them at 24 px." in messages


@pytest.mark.usefixtures("folders", "without_shape_checks")
def test_the_backend_is_named_in_json_and_in_the_mark(command, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    options = ("--model", model, "--output", "1.png", "--backend", "onnxruntime", "--json")
    result = command("translate", "horses/1.png", *options)
    assert json.loads(result.stdout)["backend"] == "onnxruntime"
    assert b"to zebras, by onnxruntime" in (tmp_path / "1.png").read_bytes()


def test_a_dash_is_no_output_of_files(command, tmp_path: Path):
    write_model(tmp_path / "m.safetensors")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    result = command("translate", "a.png", "--model", "m.safetensors", "--output", "-")
    assert_a_sentence(result, "only a picture from standard input can go to standard output")
    assert not (tmp_path / "-").exists()
