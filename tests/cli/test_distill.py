"""`distill` makes small generators of a run's."""

import json

from cyclegan.checkpoints.model_file import load_model_info
from cyclegan.checkpoints.run import Run
from tests.cli.shared import TINY, assert_a_sentence


def test_a_run_is_distilled(command, folders, tmp_path):
    assert command("train", "horses", "zebras", *TINY, "--quiet").returncode == 0
    distilled = command("distill", "horses2zebras")
    assert distilled.returncode == 0, distilled.stderr
    assert "ResNet, residual blocks: 1, width 2" in distilled.stderr
    assert "horses2zebras, of 6.36 times the multiply-adds" in distilled.stderr
    assert "weights of  the teacher: disc_a, disc_b" in distilled.stderr
    assert "distill_a2b" in distilled.stderr

    small = Run(tmp_path / "checkpoints" / "horses2zebras-small")
    assert load_model_info(small.model).generator.width == 2
    assert load_model_info(small.teacher).generator.width == 8
    assert "Distillation losses" in small.report.read_text(encoding="utf-8")
    assert command("translate", "horses/1.png", "--model", "horses2zebras-small").stdout.startswith("1 translated")

    assert "finished already" in command("distill", "checkpoints/horses2zebras").stdout
    longer = command("distill", "horses2zebras", "--max-steps", 6, "--json")
    assert json.loads(longer.stdout)["steps_done"] == 2
    other = command("distill", "horses2zebras", "--width", 3)
    assert_a_sentence(other, "generator.width (was 2, now 3)", "another --name")
    again = command("distill", "horses2zebras-small", "--name", "smallest", "--dry-run", "--json")
    config = json.loads(again.stdout)["config"]
    assert (config["generator"]["width"], config["training"]["teacher"]) == (1, str(small.folder.resolve()))


def test_only_a_run_with_a_model_can_be_distilled(command, folders, tmp_path):
    assert_a_sentence(command("distill", "horses2zebras"), "there is no run horses2zebras")
    command("train", "horses", "zebras", *TINY, "--quiet")
    (tmp_path / "checkpoints" / "horses2zebras" / "model.safetensors").unlink()
    assert_a_sentence(command("distill", "horses2zebras"), "horses2zebras holds no model yet", "train it first")
    assert [place.name for place in (tmp_path / "checkpoints").iterdir()] == ["horses2zebras"]
