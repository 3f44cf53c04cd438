"""The command line says what it does, exits as it promises, and never shows a traceback."""

import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from cyclegan.checkpoints.model_file import load_tensors, save_tensors
from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.cli import console
from cyclegan.config import PRESETS
from tests.cli.shared import POSIX, TINY, assert_a_sentence
from tests.support.extractors import SmallExtractor, save_program
from tests.support.models import write_model

NO_NUMBERS, OTHERS = "does not hold finite numbers", "does not hold the weights of the network that it describes"


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


def test_log_messages_of_libraries_are_not_printed():
    code = (
        "import logging, sys; sys.argv = ['cyclegan', '--version']\n"
        "from cyclegan.cli import main\n"
        "try: main()\n"
        "except SystemExit: logging.getLogger('PIL').error('noise')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("translate", ""), "argument 2"),
        (("translate", "horses", "--mask", ""), "argument 4"),
        (("train", "horses", "zebras", "--name="), "--name="),
    ],
)
def test_an_empty_argument_does_not_mean_the_current_folder(command, folders, tmp_path, arguments, name):
    before = sorted(tmp_path.rglob("*"))
    assert_a_sentence(command(*arguments), f"{name} is empty", "variable of the shell")
    assert sorted(tmp_path.rglob("*")) == before


def run_with_native_noise(end: str, **options) -> subprocess.CompletedProcess[str]:
    """Run a command that ends in `end`, after a C library has printed an escape sequence."""
    code = (
        "import ctypes, os, subprocess, sys\n"
        "from cyclegan import cli\n"
        "def command():\n"
        "    os.write(2, b'\\x1b[31mnoise\\n')\n"
        f"    cli.console.tell('a message'); {end}\n"
        "cli.app = command\n"
        "cli.main()\n"
        "sys.exit(os.write(2, b'afterwards\\n') - 11)"
    )
    streams = {"stdout": PIPE, "stderr": PIPE} | options
    return subprocess.run([sys.executable, "-c", code], text=True, check=False, **streams)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("pass", "a message\nafterwards\n"),
        ("raise cli.CycleganError('an error.', 'a hint.')", "a message\ncyclegan: an error. a hint.\n"),
        ("raise KeyboardInterrupt", "a message\n"),
        ("cli.console.share_stderr(); subprocess.run(['sh', '-c', 'echo of a child >&2'])", "a message\nof a child\n"),
    ],
)
def test_messages_of_c_libraries_are_not_printed(end: str, said: str):
    assert run_with_native_noise(end).stderr.removesuffix("afterwards\n") == said.removesuffix("afterwards\n")


@pytest.mark.skipif(not POSIX, reason="other signals there")
def test_a_crash_prints_its_stack():
    result = run_with_native_noise("ctypes.string_at(0)")
    assert result.returncode < 0
    assert "a message\nFatal Python error: Segmentation fault" in result.stderr


@pytest.mark.skipif(not POSIX, reason="no such shell there")
def test_no_file_gets_the_number_of_a_closed_standard_error():
    code = "import os; from cyclegan import cli; cli.app = lambda: print(os.open('x', os.O_CREAT)); cli.main()"
    shell = f'cd "$(mktemp -d)" && {sys.executable} -c "{code}" 2>&-'
    assert int(subprocess.run(shell, shell=True, stdout=PIPE, text=True, check=True).stdout) > 2


def test_the_version_is_printed(command):
    assert re.fullmatch(r"cyclegan \d+\.\d+\.\d+\n", command("--version").stdout)


def test_a_closed_pipe_is_no_error():
    code = "import sys; sys.stdin.read(); from cyclegan.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", code, "--version"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        process.stdout.close()
        process.stdin.close()
        assert (process.wait(), process.stderr.read()) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device there")
def test_an_output_on_a_full_disk_is_no_bug():
    code = "from cyclegan.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        result = subprocess.run([sys.executable, "-c", code, "--version"], stdout=full, stderr=PIPE, text=True)
    assert result.returncode == 2
    assert "the output: no space left on device" in result.stderr


def test_without_a_terminal_progress_is_plain_lines(capsys, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(seconds))
    with console.Console().counting("Looking", 1000) as advance:
        for _ in range(5):
            advance()
    assert re.fullmatch(r"Looking: \d of 1,000\n", capsys.readouterr().err)


def test_a_run_from_training_to_report(program, command, folders, tmp_path):
    trained = program("train", "horses", "zebras/", *TINY)
    assert trained.returncode == 0, trained.stderr
    assert "horses: 5 pictures" in trained.stderr
    assert "step 4/4" in trained.stderr
    assert trained.stdout.startswith("Trained 4 steps in")
    assert [line["step"] for line in read_metrics(Run(tmp_path / "checkpoints" / "horses2zebras"))] == [2, 4]

    translated = command("translate", "horses", "--device", "cpu")
    assert translated.returncode == 0, translated.stderr
    assert translated.stdout.startswith("5 translated to zebras")
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
    assert re.search(r"Model: horses2zebras, \d+ steps trained, from .*step-\d+\.safetensors", exported.stderr)
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


def test_missing_and_empty_folders_are_errors(command, folders, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_a_sentence(command("train", "horses", "missing"), "there is no folder", "missing", "Check the path.")
    assert_a_sentence(command("train", "horses", "empty"), "there are no pictures in", "empty")
    assert_a_sentence(command("train", "horses", "horses"), "both folders are the same")
    assert_a_sentence(command("train"), "two folders of pictures are needed")


def test_invalid_settings_are_errors(command, folders):
    assert_a_sentence(command("train", "horses", "zebras", "--size", "big"), "--size", "integer")
    assert_a_sentence(command("train", "horses", "zebras", "--size", "30"), "does not divide by 4")
    unknown = command("train", "horses", "zebras", "--set", "loss.cycel=1")
    assert_a_sentence(
        unknown, "unknown setting loss.cycel; known here: adversarial, cycle_a, cycle_b, distill, identity"
    )
    assert_a_sentence(command("train", "horses", "zebras", "--preset", "huge"), "unknown preset huge", *PRESETS)
    assert_a_sentence(command("train", "horses", "zebras", "--name", "../x"), "cannot be a run's name")


def test_invalid_models_are_errors(command, folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    assert_a_sentence(command("translate", "horses"), "no trained model under checkpoints", "cyclegan train")
    assert_a_sentence(command("translate", "horses", "--model", "missing"), "there is no model missing")
    assert_a_sentence(command("translate", "horses", "--model", model, "--to", "lions"), "turns horses into zebras")
    model.write_bytes(model.read_bytes()[:3000])
    assert_a_sentence(command("translate", "horses", "--model", model), "is damaged or no safetensors file")


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
def test_invalid_weights_are_an_error_and_write_no_picture(command, folders, tmp_path, weights, words):
    model = write_model(tmp_path / "m.safetensors")
    tensors, metadata = load_tensors(model)
    save_tensors(model, tensors | weights, metadata)
    result = command("translate", "horses", "--model", model)
    assert_a_sentence(result, "m.safetensors", words)
    assert "\x1b" not in result.stderr
    assert not (tmp_path / "horses_zebras").exists()


def test_file_names_are_printed_escaped(command, folders, tmp_path):
    if not POSIX:
        return
    write_model(tmp_path / "m.safetensors")
    (folders[0] / "evil\x1b[31m\n[bold].png").touch()
    result = command("translate", "horses", "--model", "m.safetensors")
    assert "evil\\x1b[31m\\n[bold].png is empty" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("name", ["n" * 300, "a" * 200 + "/" + "b" * 300])
def test_impossible_paths_are_errors(command, folders, name):
    for arguments in (
        ("train", name, "zebras"),
        ("translate", name),
        ("report", name),
        ("export", name, "--output", "x"),
    ):
        result = command(*arguments)
        assert result.returncode == 2
        assert "bug" not in result.stderr


def test_impossible_devices_and_seeds_are_errors(command, folders):
    assert command("train", "horses", "zebras", *TINY, "--device", "cpu:0").returncode == 0
    assert_a_sentence(command("train", "horses", "zebras", "--seed", 2**64), "training.seed is 18446744073709551616")
    assert_a_sentence(command("train", "horses", "zebras", "--name", ".."), "cannot be a run's name")


def test_an_internal_error_writes_its_traceback_to_a_file(tmp_path):
    code = (
        "import cyclegan.reports\n"
        "def broken(run): raise ZeroDivisionError('oops')\n"
        "cyclegan.reports.write_report = broken\n"
        "import cyclegan.checkpoints.find; cyclegan.checkpoints.find.find_run = lambda name: None\n"
        "import sys; sys.argv = ['cyclegan', 'report', 'x']\n"
        "from cyclegan.cli import main; main()"
    )
    environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert_a_sentence(result, "internal error", status=70)
    assert "ZeroDivisionError: oops" in next(tmp_path.glob("cyclegan-*.txt")).read_text()


def test_progress_goes_to_standard_error_and_results_to_standard_output(command, folders, tmp_path):
    write_model(tmp_path / "m.safetensors")
    result = command("translate", "horses", "--model", "m.safetensors")
    assert result.stdout.count("\n") == 1
    assert result.stderr.startswith("Model: m, horses to zebras (a2b)")
    assert result.stderr.count("\n") == 1


def test_no_command_uses_the_network_unasked(folders, tmp_path):
    save_program(SmallExtractor(), tmp_path / "eye.pt2")
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
