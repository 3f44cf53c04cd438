"""The command line says what it does, exits as it promises, and never shows a traceback."""

import html
import io
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cyclegan import Translator
from cyclegan.config import PRESETS
from cyclegan.errors import GameLostError
from cyclegan.model_files import load_tensors, save_tensors
from cyclegan.runs import Run, read_metrics
from cyclegan.translation import Manner, Work, plan_tasks, translate_all
from tests.models_for_tests import write_model
from tests.test_evaluation import SmallEye, save_program

TINY = ("--preset", "tiny", "--max-steps", 4, "--set", "logging.every=2", "--device", "cpu")
POSIX = sys.platform != "win32"


def assert_a_sentence(result: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    """Assert that a run ended with a sentence of these words, and no traceback."""
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_help_loads_neither_torch_nor_pillow():
    code = (
        "import sys; sys.argv = ['cyclegan', '--help']\n"
        "from cyclegan.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'PIL', 'numpy', 'albumentations', 'gradio'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("[]\n")


def test_what_libraries_log_reaches_no_terminal():
    code = (
        "import logging, sys; sys.argv = ['cyclegan', '--version']\n"
        "from cyclegan.cli import main\n"
        "try: main()\n"
        "except SystemExit: logging.getLogger('PIL').error('noise')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == ""


def test_version_is_said(command):
    assert re.fullmatch(r"cyclegan \d+\.\d+\.\d+\n", command("--version").stdout)


def test_the_whole_story_of_a_run(program, command, folders, tmp_path):
    trained = program("train", "horses", "zebras/", *TINY)
    assert trained.returncode == 0, trained.stderr
    assert "horses: 5 pictures" in trained.stderr
    assert "step 4/4" in trained.stderr
    assert trained.stdout.startswith("Trained 4 steps in")
    assert [line["step"] for line in read_metrics(Run(tmp_path / "checkpoints" / "horses2zebras"))] == [2, 4]

    translated = program("translate", "horses", "--device", "cpu")
    assert translated.returncode == 0, translated.stderr
    assert translated.stdout.startswith("5 redrawn as zebras")
    with Image.open(tmp_path / "horses_zebras" / "deeper" / "4.PNG") as picture:
        assert picture.size == (40, 60)

    back = command("translate", "zebras/1.png", "--to", "horses", "--json", "--device", "cpu")
    assert json.loads(back.stdout)["written"] == [str(Path("zebras/1_horses.png"))]

    again = command("train", "horses", "zebras", *TINY)
    assert again.returncode == 0
    assert "finished already" in again.stdout

    changed = command("train", "horses", "zebras", *TINY, "--set", "loss.cycle_a=5")
    assert_a_sentence(changed, "loss.cycle_a (was 10.0, now 5.0)", "--fresh")

    fresh = command("train", "horses", "zebras", *TINY, "--fresh", "--quiet")
    assert (fresh.returncode, fresh.stdout, fresh.stderr) == (0, "", "")
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2

    exported = command("export", "checkpoints/horses2zebras", "--output", "m.safetensors", "--unaveraged")
    assert exported.returncode == 0, exported.stderr
    assert command("translate", "zebras/1.png", "--model", "m.safetensors", "--output", "x.png").returncode == 0

    reported = command("report", "horses2zebras")
    assert reported.stdout == f"Report: {Path('checkpoints/horses2zebras/report.html')}\n"


def test_the_commands_in_a_report_continue_and_repeat_the_run(command, folders, tmp_path):
    command("train", "horses", "zebras", *TINY, "--name", "my run", "--seed", "3")
    page = (tmp_path / "checkpoints" / "my run" / "report.html").read_text(encoding="utf-8")
    lines = [shlex.split(html.unescape(line)) for line in re.findall(r"<code>cyclegan (.*?)</code>", page)]
    assert [line[0] for line in lines] == ["train", "train", "translate", "report"]
    assert "finished already" in command(*lines[0]).stdout
    assert command(*lines[1]).returncode == 0
    first, again = (
        load_file(tmp_path / "checkpoints" / name / "model.safetensors") for name in ("my run", "my run-again")
    )
    assert all(torch.equal(again[name], weight) for name, weight in first.items())
    assert command(*lines[3]).returncode == 0


def test_training_ends_with_a_report_also_when_the_game_is_lost(command, folders, tmp_path, monkeypatch):
    report = tmp_path / "checkpoints" / "horses2zebras" / "report.html"
    assert command("train", "horses", "zebras", *TINY, "--quiet").returncode == 0
    assert "<dt>Steps</dt><dd>4</dd>" in report.read_text(encoding="utf-8")

    def lose(*_: object, **__: object) -> None:
        raise GameLostError("the game is lost.")

    report.unlink()
    monkeypatch.setattr("cyclegan.training.train", lose)
    assert_a_sentence(command("train", "horses", "zebras", *TINY), "the game is lost", status=3)
    assert report.exists()


def test_a_dry_run_writes_nothing(command, folders, tmp_path):
    result = command("train", "horses", "zebras", *TINY, "--dry-run", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 4
    assert "horses: 5 pictures" in command("train", "horses", "zebras", *TINY, "--dry-run").stdout
    assert not (tmp_path / "checkpoints").exists()


def test_the_saved_settings_can_be_used_again(command, folders, tmp_path):
    command("train", "horses", "zebras", *TINY, "--seed", "3")
    config = tmp_path / "checkpoints" / "horses2zebras" / "config.toml"
    again = command("train", "--config", config, "--name", "again", "--json")
    assert json.loads(again.stdout)["finished"]
    assert (tmp_path / "checkpoints" / "again" / "config.toml").read_text() == config.read_text()


@pytest.mark.skipif(not POSIX, reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_everything_and_ends_with_130(folders, tmp_path, number):
    command = [sys.executable, "-m", "cyclegan", "train", "horses", "zebras", *map(str, TINY), "--max-steps", "100000"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "checkpoints" / "horses2zebras" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not metrics.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "The same command continues" in out
    assert len(list((tmp_path / "checkpoints" / "horses2zebras" / "state").glob("step-*"))) == 1


def test_missing_and_empty_folders_are_sentences(command, folders, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_a_sentence(command("train", "horses", "missing"), "there is no folder", "missing", "Check the path.")
    assert_a_sentence(command("train", "horses", "empty"), "there are no pictures in", "empty")
    assert_a_sentence(command("train", "horses", "horses"), "both folders are the same")
    assert_a_sentence(command("train"), "two folders of pictures are needed")


def test_settings_that_are_none_are_sentences(command, folders):
    assert_a_sentence(command("train", "horses", "zebras", "--size", "big"), "--size", "integer")
    assert_a_sentence(command("train", "horses", "zebras", "--size", "30"), "does not divide by 4")
    unknown = command("train", "horses", "zebras", "--set", "loss.cycel=1")
    assert_a_sentence(unknown, "unknown setting loss.cycel; known here: adversarial, cycle_a, cycle_b, identity")
    assert_a_sentence(command("train", "horses", "zebras", "--preset", "huge"), "unknown preset huge", *PRESETS)
    assert_a_sentence(command("train", "horses", "zebras", "--name", "../x"), "cannot be a run's name")


def test_validation_is_shown_while_training(command, folders):
    result = command("train", "horses", "zebras", *TINY, "--validate-a", "zebras", "--validate-b", "horses")
    assert result.returncode == 0
    assert "5 held-out pictures in " in result.stderr
    assert re.search(r"validation \d\.\d+ \(distance a2b .* faithfulness a .*\) · kept as the best", result.stderr)


def test_a_run_that_a_plateau_ended_says_so(tmp_path: Path):
    from cyclegan.cli.training import ending
    from cyclegan.training import Outcome, Plan

    plan = create_autospec(Plan, instance=True, run=Run(tmp_path))
    said = ending(plan, Outcome(20, 100, 20, 1.0, plateau=7))
    assert "no better since epoch 7" in said
    assert "--stop-on-plateau" in said


def test_damaged_pictures_in_training_are_named_and_skipped(command, folders, tmp_path):
    (folders[0] / "text.jpg").write_text("not a picture")
    (folders[0] / "empty.png").touch()
    whole = (folders[0] / "2.jpg").read_bytes()
    (folders[0] / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    result = command("train", "horses", "zebras", *TINY)
    assert result.returncode == 0
    assert "Traceback" not in result.stderr
    for words in ("text.jpg is not a picture", "empty.png is empty", "cut.jpg is damaged", "3 pictures that cannot"):
        assert words in result.stderr
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "empty.png").touch()
    assert_a_sentence(command("train", "horses", "bad", *TINY), "0 readable pictures, fewer than a batch of 1")


def test_damaged_pictures_in_translation_are_named_and_the_rest_is_done(command, folders, tmp_path):
    write_model(tmp_path / "m.safetensors")
    (folders[0] / "text.jpg").write_text("not a picture")
    (folders[0] / "empty.png").touch()
    result = command("translate", "horses", "--model", "m.safetensors")
    assert_a_sentence(result, "text.jpg is not a picture", "empty.png is empty", status=1)
    assert result.stdout.startswith("5 redrawn as zebras")
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


def test_directories_that_lead_in_circles_end_nothing(command, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    exif = b"Exif\0\0" + tiff_directory(dict.fromkeys((0x8769, 0x8825, 0xA005), 8), next_page=8)
    Image.new("RGB", (16, 16), "red").save(odd / "exif.jpg", exif=exif)
    (odd / "pages.tif").write_bytes(tiff_that_claims(4, 4, next_page=8))
    result = command("translate", "odd", "--model", write_model(tmp_path / "m.safetensors"), "--json")
    assert (result.returncode, len(json.loads(result.stdout)["written"])) == (0, 2), result.stderr


@pytest.mark.skipif(not POSIX, reason="links need a permission there")
def test_each_bad_input_has_its_sentence_and_the_rest_is_done(command, folders, tmp_path):
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
    assert result.stderr.count("\n") == 14 - 1
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
def test_files_without_permission_and_folders_that_cannot_be_written_are_sentences(anybody, folders, tmp_path):
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
        tasks = plan_tasks([anybody / "in"], "zebras", output=anybody / output)
        as_nobody(lambda tasks=tasks: outcomes.append(translate_all(tasks, Work(translator, Manner()))))
    assert [task.source.name for task in outcomes[0].done] == ["2.jpg"]
    assert "1.png cannot be read: Permission denied" in str(outcomes[0].failed[0])
    assert not outcomes[1].done
    assert any("locked" in str(error) and "ermission denied" in str(error) for error in outcomes[1].failed)
    assert not list((anybody / "locked").iterdir())


@pytest.mark.skipif(not POSIX, reason="no limits on files there")
def test_a_disk_that_fills_up_half_way_leaves_whole_pictures_only(folders, tmp_path):
    Image.effect_noise((300, 300), 90).convert("RGB").save(folders[0] / "3 large.png")
    model = write_model(tmp_path / "m.safetensors")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "from cyclegan.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "translate", "horses", "--model", str(model), "--quiet"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert_a_sentence(result, "3 large.png", "no room left on the disk", status=1)
    written = {path.name for path in (tmp_path / "horses_zebras").rglob("*") if path.is_file()}
    assert written == {"1.png", "2.jpg", "3.webp", "4.PNG", "5.jpeg"}
    for path in (tmp_path / "horses_zebras").rglob("*.*"):
        with Image.open(path) as picture:
            picture.load()


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


def test_a_pipe_stands_alone(command, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    assert_a_sentence(command("translate", "-", "x.png", "--model", model), "stands for standard input")


@pytest.mark.skipif(not POSIX, reason="signals of another kind there")
def test_a_watched_folder_is_translated_until_interrupted(tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    (tmp_path / "inbox").mkdir()
    command = [sys.executable, "-m", "cyclegan", "translate", "inbox", "--watch", "--scores", "--model", str(model)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "Watching inbox" in process.stderr.readline()
        Image.new("RGB", (20, 12)).save(tmp_path / "inbox" / "x.png")
        assert process.stdout.readline().startswith("1 redrawn as zebras")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert (tmp_path / "inbox_zebras" / "x.png").is_file()
    assert (tmp_path / "inbox_zebras" / "scores.csv").read_text().startswith("source,target,realism,cycle_error")


def test_models_that_are_none_are_sentences(command, folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    assert_a_sentence(command("translate", "horses"), "no trained model under checkpoints", "cyclegan train")
    assert_a_sentence(command("translate", "horses", "--model", "missing"), "there is no model missing")
    assert_a_sentence(command("translate", "horses", "--model", model, "--to", "lions"), "turns horses into zebras")
    model.write_bytes(model.read_bytes()[:3000])
    assert_a_sentence(command("translate", "horses", "--model", model), "is damaged or no safetensors file")


NO_NUMBERS, OTHERS = "does not hold finite numbers", "does not hold the weights of the network that it describes"


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"a2b.body.1.weight": torch.full((4, 3, 7, 7), torch.nan)}, f"a2b.body.1.weight {NO_NUMBERS}"),
        ({"disc_b.body.0.bias": torch.full((4,), torch.inf)}, f"disc_b.body.0.bias {NO_NUMBERS}"),
        ({"a2b.body.1.weight": torch.zeros(4, 3, 7, 7, dtype=torch.complex64)}, NO_NUMBERS),
        ({"a2b.body.1.weight": torch.zeros(4, 3, 7, 7, dtype=torch.bool)}, NO_NUMBERS),
        ({"a2b.body.1.weight": torch.zeros(10**6, 1)}, OTHERS),
        ({"a2b.body.1.weight": torch.zeros(0)}, OTHERS),
        ({"a2b.../../x\x1b[2J": torch.zeros(1)}, OTHERS),
    ],
)
def test_weights_that_make_no_sense_are_a_sentence_and_no_picture(command, folders, tmp_path, weights, words):
    model = write_model(tmp_path / "m.safetensors")
    tensors, metadata = load_tensors(model)
    save_tensors(model, tensors | weights, metadata)
    result = command("translate", "horses", "--model", model)
    assert_a_sentence(result, "m.safetensors", words)
    assert "\x1b" not in result.stderr
    assert not (tmp_path / "horses_zebras").exists()


def test_a_file_name_reaches_the_terminal_escaped(command, folders, tmp_path):
    if not POSIX:
        return
    write_model(tmp_path / "m.safetensors")
    (folders[0] / "evil\x1b[31m\n[bold].png").touch()
    result = command("translate", "horses", "--model", "m.safetensors")
    assert "evil\\x1b[31m\\n[bold].png is empty" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.skipif(not POSIX, reason="Windows cannot limit the size of files")
def test_no_room_on_the_disk_is_a_sentence_and_leaves_nothing_half(folders, tmp_path):
    """A limit on the size of files stands in for a full disk: states and models do not fit, small files do."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "from cyclegan.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "train", "horses", "zebras", *map(str, TINY), "--set", "logging.samples=1"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert_a_sentence(result, "no room left on the disk", "Free some space")
    left = {path.name for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert left <= {"config.toml", "lock", "process", "metrics.jsonl", "000000004.png"}


@pytest.mark.skipif(sys.platform != "linux", reason="no process limits another one there")
def test_a_disk_that_fills_up_while_metrics_are_written_costs_nothing_that_was_saved(command, folders, tmp_path):
    """A limit on the size of files, given to a training at work, cuts a line of its metrics in the middle."""
    from resource import RLIMIT_FSIZE, prlimit

    def training(name: str, steps: int) -> list[str]:
        return ["train", "horses", "zebras", *map(str, TINY), "--name", name, "--max-steps", str(steps), "--quiet"]

    for name, steps in (("whole", 12), ("full", 4)):
        assert command(*training(name, steps)).returncode == 0
    metrics = tmp_path / "checkpoints" / "full" / "metrics.jsonl"
    shape = ["--set", "logging.every=1"]
    line = [sys.executable, "-m", "cyclegan", *training("full", 10**6), "--epochs", str(10**6), *shape]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while metrics.read_text().count("\n") < 4 and process.poll() is None:
            time.sleep(0.01)
        full = metrics.stat().st_size + 3000
        prlimit(process.pid, RLIMIT_FSIZE, (full, full))
        _, said = process.communicate(timeout=120)
    assert_a_sentence(
        subprocess.CompletedProcess(line, process.returncode, "", said),
        "no room left on the disk for checkpoints/full/metrics.jsonl",
        "Free some space",
    )
    assert not metrics.read_text().endswith("\n"), "no line was cut"
    assert command(*training("full", 12)).returncode == 0
    ended = [load_file(tmp_path / "checkpoints" / name / "model.safetensors") for name in ("whole", "full")]
    assert all(torch.equal(ended[1][name], weight) for name, weight in ended[0].items())
    assert [line["step"] for line in read_metrics(Run(metrics.parent))] == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize("name", ["n" * 300, "a" * 200 + "/" + "b" * 300])
def test_paths_that_the_system_refuses_are_sentences(command, folders, name):
    for arguments in (
        ("train", name, "zebras"),
        ("translate", name),
        ("report", name),
        ("export", name, "--output", "x"),
    ):
        result = command(*arguments)
        assert result.returncode == 2
        assert "bug" not in result.stderr


def test_devices_and_seeds_beyond_reason_are_sentences(command, folders):
    assert command("train", "horses", "zebras", *TINY, "--device", "cpu:0").returncode == 0
    assert_a_sentence(command("train", "horses", "zebras", "--seed", 2**64), "game.seed is 18446744073709551616")
    assert_a_sentence(command("train", "horses", "zebras", "--name", ".."), "cannot be a run's name")


def test_a_failed_start_moves_nothing_aside(command, folders, tmp_path):
    command("train", "horses", "zebras", *TINY)
    result = command("train", "horses", "zebras", *TINY, "--fresh", "--batch-size", 9)
    assert_a_sentence(result, "5 readable pictures, fewer than a batch of 9")
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["horses2zebras"]


def test_folders_of_one_name_are_told_apart(command, folders, tmp_path):
    for place in folders:
        (place / "img").mkdir()
        (place / "1.png").rename(place / "img" / "1.png")
    result = command("train", "horses/img", "zebras/img", *TINY, "--json", "--quiet")
    assert json.loads(result.stdout)["run"] == str(Path("checkpoints/horses_img_a2zebras_img_b"))


@pytest.mark.skipif(not POSIX, reason="Windows has no such pipes")
def test_a_pipe_among_the_pictures_stops_nobody(command, folders):
    os.mkfifo(folders[0] / "pipe.jpg")
    assert command("train", "horses", "zebras", *TINY).returncode == 0


def test_a_bug_of_ours_is_a_sentence_and_a_file(tmp_path):
    code = (
        "import cyclegan.reports\n"
        "def broken(run): raise ZeroDivisionError('oops')\n"
        "cyclegan.reports.write_report = broken\n"
        "import cyclegan.runs; cyclegan.runs.find_run = lambda name: None\n"
        "import sys; sys.argv = ['cyclegan', 'report', 'x']\n"
        "from cyclegan.cli import main; main()"
    )
    environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert_a_sentence(result, "this is a bug of ours", status=70)
    assert "ZeroDivisionError: oops" in next(tmp_path.glob("cyclegan-*.txt")).read_text()


def test_progress_goes_to_standard_error_and_results_to_standard_output(command, folders, tmp_path):
    write_model(tmp_path / "m.safetensors")
    result = command("translate", "horses", "--model", "m.safetensors")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


def test_the_live_display_shows_every_loss(tmp_path, folders):
    from rich.console import Console

    from cyclegan.cli.display import TrainingDisplay
    from cyclegan.training.step import LOSS_NAMES
    from tests.training.runs_for_tests import play_run

    shown = []
    displays = []

    def display(moment):
        if not displays:
            displays.append(TrainingDisplay(moment.plan, live=False))
        displays[0](moment)
        console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
        console.print(displays[0].picture(moment))
        shown.append(console.export_text())
        console.file.close()

    taught = {"game": {"teacher": str(write_model(tmp_path / "m.safetensors"))}}
    play_run(Run(tmp_path / "run"), folders, 8, taught, observers=[display])
    assert all(name in shown[-1] for name in LOSS_NAMES)
    assert "epoch 3/3 · step 8/8" in shown[-1]
    assert "health fine" in shown[-1]
    assert not any(name in shown[0] for name in LOSS_NAMES)


def test_remarks_are_told_once_and_their_end_with_the_verdict(capsys):
    from types import SimpleNamespace

    from cyclegan.cli.display import TrainingDisplay

    finding = {"name": "collapse", "about": "a2b", "verdict": "watch", "reason": "They are alike.", "remedy": "Wait."}
    display = TrainingDisplay(SimpleNamespace(total_steps=40, epochs=4), live=False)
    for step, findings in ((10, []), (20, [finding]), (30, [finding]), (40, [])):
        verdict = "watch" if findings else "fine"
        line = {"step": step, "right_guesses_a": 0.7, "health": {"verdict": verdict, "findings": findings}}
        display(SimpleNamespace(step=step, epoch=1, metrics=line, last=False, plan=SimpleNamespace(total_steps=40)))
    told = capsys.readouterr().err.splitlines()
    assert [line.rpartition("health ")[2] for line in told if "step" in line] == ["fine", "watch", "watch", "fine"]
    assert told[2] == "  watch: They are alike. Wait."
    assert len(told) == 5
    assert "right guesses a 70% (ideal 50%)" in told[0]


def test_a_lost_game_ends_with_3_and_a_sentence(command, folders, tmp_path, monkeypatch):
    import torch

    from cyclegan.training.session import Session

    advance = Session.advance
    monkeypatch.setattr(Session, "advance", lambda game, a, b: advance(game, torch.full_like(a, torch.nan), b))
    result = command("train", "horses", "zebras", *TINY)
    assert_a_sentence(result, "the game is lost", "no finite numbers, again", "--fresh", status=3)
    assert len(list((tmp_path / "checkpoints" / "horses2zebras" / "state").glob("step-*"))) == 1
    last = read_metrics(Run(tmp_path / "checkpoints" / "horses2zebras"))[-1]
    assert last["health"]["findings"][0]["name"] == "not_finite"


def test_no_command_touches_the_network_unasked(folders, tmp_path):
    save_program(SmallEye(), tmp_path / "eye.pt2")
    code = (
        "import sys\n"
        "asked = []\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.sendto', 'socket.getaddrinfo', 'socket.gethostbyname'):\n"
        "        asked.append((event, arguments))\n"
        "        raise OSError('the network is forbidden')\n"
        "sys.addaudithook(refuse)\n"
        "from cyclegan.cli import main\n"
        "lines = (\n"
        "    'train horses zebras --preset tiny --max-steps 2 --quiet',\n"
        "    'translate horses --quiet',\n"
        "    'evaluate horses_zebras zebras --extractor eye.pt2 --extractor-size 32 --size 32 --quiet',\n"
        "    'report horses2zebras --quiet',\n"
        "    'inspect horses zebras --quiet',\n"
        "    'inspect checkpoints/horses2zebras --quiet',\n"
        "    'inspect --quiet',\n"
        "    'export horses2zebras --output m.safetensors --quiet',\n"
        "    'download --list --quiet',\n"
        "    '--help',\n"
        ")\n"
        "for line in lines:\n"
        "    sys.argv = ['cyclegan', *line.split()]\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, (line, end.code)\n"
        "    assert not asked, (line, asked)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "checkpoints" / "horses2zebras" / "report.html").exists()
