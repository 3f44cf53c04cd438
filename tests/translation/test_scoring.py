"""Scores: a table by which thousands of translations can be sorted."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model, save_model
from cyclegan.errors import DataError, ModelFileError
from cyclegan.images import Picture
from cyclegan.translation import Scorer, TranslateJob, TranslateOptions, plan_targets, translate_targets, write_scores
from tests.support.models import write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.safetensors")


def lines(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def translate(folder: Path, model: Path, **options) -> list[Path]:
    translator = Translator(model, device="cpu", precision="fp32")
    job = TranslateJob(translator, TranslateOptions(**options), Scorer(translator))
    return write_scores(translate_targets(plan_targets([folder], "zebras"), job).scores)


def test_the_table_has_a_line_for_each_picture(folders, model):
    [table] = translate(folders[0], model)
    assert table == folders[0].with_name("horses_zebras") / "scores.csv"
    assert [line["target"] for line in lines(table)] == ["1.png", "2.jpg", "3.webp", "deeper/4.PNG", "deeper/5.jpeg"]
    assert all(0 < float(line["cycle_error"]) < 255 for line in lines(table))


def test_scores_equal_the_networks_outputs(model):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    there = Translator(model, device="cpu", precision="fp32")
    back = Translator(model, direction="b2a", device="cpu", precision="fp32")
    scorer = Scorer(there)
    translated = there.translate_pixels([pixels])[0]
    score = scorer.score(Picture(pixels), Picture(translated))
    cycled = back.translate_pixels([translated])[0]
    assert score.cycle_error == pytest.approx(np.abs(cycled.astype(float) - pixels).mean(), abs=0.6)
    with torch.inference_mode():
        image = torch.from_numpy(translated).permute(2, 0, 1)[None] / 127.5 - 1
        assert score.realism == pytest.approx(scorer.discriminator(image).mean().item(), abs=1e-4)


def test_a_table_is_extended(folders, model):
    [table] = translate(folders[0], model)
    whole = table.read_text()
    (table.parent / "2.jpg").unlink()
    translate(folders[0], model)
    assert table.read_text() == whole
    table.unlink()  # as after a kill, or a translation without scores
    translate(folders[0], model)
    assert table.read_text() == whole


def test_another_table_is_not_overwritten(folders, model):
    table = folders[0].with_name("horses_zebras") / "scores.csv"
    table.parent.mkdir()
    table.write_text("something,else\n1,2\n")
    with pytest.raises(DataError, match="is not a table of scores"):
        translate(folders[0], model)
    assert table.read_text() == "something,else\n1,2\n"
    assert len(list(table.parent.iterdir())) == 1


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (1500, 1200)])
def test_any_size_can_be_scored(tmp_path: Path, model, size: tuple[int, int]):
    Image.new("L", size, 90).save(tmp_path / "x.png")
    translator = Translator(model, device="cpu")
    picture = Picture.from_image(Image.open(tmp_path / "x.png"))
    score = Scorer(translator).score(picture, translator.translate_picture(picture))
    assert np.isfinite([score.realism, score.cycle_error]).all()


def test_a_model_without_discriminators_is_an_error(model, tmp_path: Path):
    info, weights = load_model(model)
    bare = {name: weight for name, weight in weights.items() if not name.startswith("disc")}
    save_model(tmp_path / "bare.safetensors", info, bare)
    with pytest.raises(ModelFileError, match="holds no discriminators"):
        Scorer(Translator(tmp_path / "bare.safetensors", device="cpu"))
