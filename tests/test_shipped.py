"""The model that comes with the package works at once, and is what its card says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cyclegan import Translator
from cyclegan.checkpoints.find import SHIPPED, find_model, shipped_models
from cyclegan.checkpoints.model_file import load_model_info
from cyclegan.config import GeneratorConfig
from cyclegan.models import multiply_adds
from tests.support.models import write_model

SHARED = Path(__file__).parent.parent.parent / "shared"
EVERY = 6  # test pictures, one is looked at


def test_it_is_small():
    path = find_model("horse2zebra")
    spec = load_model_info(path).generator
    assert path.stat().st_size < 6e6
    assert multiply_adds(spec, (3, 3), 256) * 10 < multiply_adds(GeneratorConfig(blocks=9), (3, 3), 256)


def test_every_shipped_model_has_a_card_with_its_figures():
    assert set(shipped_models()) == {"horse2zebra", "monet", "summer2winter"}
    for name, path in shipped_models().items():
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        assert card.startswith(f"# {name}\n")
        assert path.stat().st_size < 6e6
        assert f"{load_model_info(path).steps:,} steps" in card
    assert {path.suffix for path in SHIPPED.iterdir()} == {".safetensors", ".md"}


def test_it_translates_a_folder_at_once_in_both_directions(command, folders):
    for options, name in (([], "horses_zebras"), (["--to", "horses"], "horses_horses")):
        result = command("translate", "horses", "--model", "horse2zebra", *options, "--json")
        assert len(json.loads(result.stdout)["written"]) == 5, result.stderr
        with Image.open(folders[0].with_name(name) / "1.png") as translated:
            assert translated.size == (40, 60)


def test_a_run_of_its_name_goes_first(tmp_path):
    own = write_model(tmp_path / "horse2zebra" / "model.safetensors")
    assert find_model("horse2zebra", tmp_path) == own


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real pictures and the judge beside the project")
def test_horses_become_zebras_for_a_classifier_that_it_has_not_seen(tmp_path):
    pictures = sorted((SHARED / "horse2zebra" / "testA").iterdir())[::EVERY]
    translate = Translator("horse2zebra", device="cpu", precision="fp32")
    for folder in ("horses", "zebras"):
        (tmp_path / folder).mkdir()
    for path in pictures:
        shutil.copy(path, tmp_path / "horses")
        with Image.open(path) as picture:
            translate(picture.convert("RGB")).save(tmp_path / "zebras" / f"{path.stem}.png")
    taken = {}
    for folder in ("horses", "zebras"):
        judge = [sys.executable, SHARED / "judge" / "judge.py", tmp_path / folder, SHARED / "horse2zebra" / "testB"]
        asked = subprocess.run([*judge, "--class", "340", "--json"], capture_output=True, text=True, check=True)
        taken[folder] = json.loads(asked.stdout)["class_top5"]
    assert taken["horses"] == 0
    assert taken["zebras"] > 0.4
