"""`cyclegan inspect` on the command line."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.shared import assert_a_sentence
from tests.support.models import write_model


def test_folders_are_inspected_as_text_and_json(command, folders):
    (folders[0] / "text.jpg").write_text("not a picture")
    words = command("inspect", "horses", "zebras", "--size", 64)
    assert words.returncode == 0, words.stderr
    assert words.stdout.startswith("horses  5 pictures, ")
    assert "text.jpg is not a picture" in words.stdout
    assert "--preset small" in words.stdout
    assert words.stderr == ""
    report = json.loads(command("inspect", "horses", "zebras", "--size", 64, "--json").stdout)
    kinds = [finding["kind"] for finding in report["folders"]["findings"]]
    assert kinds[0] == "unreadable"
    assert report["folders"]["findings"][0]["files"] == [[str(Path("horses/text.jpg"))]]
    assert [folder["pictures"] for folder in report["folders"]["folders"]] == [5, 5]
    assert command("inspect", "horses", "--quiet").stdout == ""


def test_a_model_and_the_machine_are_described(command, tmp_path):
    write_model(tmp_path / "m.safetensors")
    words = command("inspect", "m.safetensors").stdout
    for part in (
        "horses to zebras (a2b), zebras to horses (b2a)",
        "residual blocks: 1, width 4",
        "7 steps at 32 pixels",
    ):
        assert part in words
    assert json.loads(command("inspect", "m.safetensors", "--json").stdout)["models"][0]["info"]["steps"] == 7
    machine = command("inspect").stdout
    for part in ("cpu", "precision auto chooses", "torch ", "GiB free at"):
        assert part in machine
    assert json.loads(command("inspect", "--json").stdout)["machine"]["devices"][-1]["name"] == "cpu"


def test_a_run_is_described_by_its_name(command, folders):
    tiny = ("--preset", "tiny", "--max-steps", 4, "--set", "logging.every=2", "--device", "cpu")
    assert command("train", "horses", "zebras", *tiny).returncode == 0
    words = command("inspect", "horses2zebras").stdout
    for part in ("horses and zebras", "generator.width = 8", "step 4 of at most 4", "gan_a2b", "000000004.safetensors"):
        assert part in words
    assert "health    fine" in words


@pytest.mark.skipif(sys.platform == "win32", reason="other names are allowed there")
def test_hostile_names_are_shown_escaped(command, folders, tmp_path):
    evil = "evil\x1b[31m\n[bold]"
    (folders[0] / f"{evil}.png").touch()
    Image.new("L", (80, 64), 9).save(folders[0] / f"{evil} flat.png")
    folders[0].rename(tmp_path / evil)
    result = command("inspect", evil)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert "evil\\x1b[31m\\n[bold].png is empty" in result.stdout
    json.loads(command("inspect", evil, "--json").stdout)


def test_other_files_are_errors(command, folders, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.safetensors").write_bytes(b"no such thing at all")
    (tmp_path / "latest_net_G_A.pth").write_bytes(b"weights")
    assert_a_sentence(command("inspect", "missing"), "there is no folder, run or model missing")
    assert_a_sentence(command("inspect", "empty"), "there are no pictures in empty")
    assert_a_sentence(command("inspect", "horses/1.png"), "is neither a folder, a run nor a model file")
    assert_a_sentence(command("inspect", "bad.safetensors"), "is no safetensors file")
    assert_a_sentence(command("inspect", "latest_net_G_A.pth"), "cyclegan import")
    assert_a_sentence(command("inspect", "n" * 300), "n" * 300)


def test_long_lists_are_complete_in_json_only(command, tmp_path):
    (tmp_path / "many").mkdir()
    for level in range(12):
        Image.fromarray(np.full((64, 64, 3), level * 20, np.uint8)).save(tmp_path / "many" / f"{level:02}.png")
    assert "and 4 more; see --json" in command("inspect", "many").stdout
    findings = json.loads(command("inspect", "many", "--json").stdout)["folders"]["findings"]
    assert max(len(finding["files"]) for finding in findings) == 12
