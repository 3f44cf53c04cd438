"""The fine pattern of a translation goes; edges, slopes and what the source repeats stay."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model_info
from cyclegan.checkpoints.run import Run
from cyclegan.inference import checkerboard
from cyclegan.inference.checkerboard import HALO, PERIOD, without_checkerboard
from tests.support.models import write_model
from tests.support.runs import train_run

RANDOM = np.random.default_rng(0)


def pattern(height: int, width: int, strength: float = 3) -> np.ndarray:
    """Return a pattern of period 4 with mean 0 (h w c), of a few grey levels."""
    cell = RANDOM.normal(0, strength, (PERIOD, PERIOD, 3))
    repeats = (-(-height // PERIOD), -(-width // PERIOD), 1)
    return np.tile(cell - cell.mean((0, 1)), repeats)[:height, :width]


def smooth(height: int, width: int) -> np.ndarray:
    """Return a picture (h w c) of slopes."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    return np.stack([60 + 90 * rows, 60 + 90 * columns, 200 - 60 * rows - 60 * columns], axis=2)


def pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(values.round(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(200, 150), (61, 83), (30, 300)])
def test_a_pattern_goes_from_smooth_areas_up_to_their_borders(height, width):
    plain = smooth(height, width)
    dotted = pixels(plain + pattern(height, width))
    cleaned = without_checkerboard(pixels(plain), dotted)
    error = np.abs(cleaned - plain)
    assert np.abs(dotted - plain).mean() > 1.5
    assert error.mean() < 0.5
    assert error.max() < 3


def test_what_the_source_repeats_stays():
    woven = pixels(smooth(96, 96) + pattern(96, 96))
    assert np.array_equal(without_checkerboard(woven, woven), woven)
    brighter = woven + np.uint8(20)
    assert np.abs(without_checkerboard(woven, brighter).astype(int) - brighter).max() <= 1


def test_an_edge_leaves_no_echoes():
    source = np.full((96, 96, 3), 90, dtype=np.uint8)
    translation = source.copy()
    translation[48:] = 200
    translation[:, 60] = 10
    change = without_checkerboard(source, translation).astype(int) - translation
    assert np.abs(change).max() <= 3


def test_strips_make_no_difference(monkeypatch):
    source, translation = (RANDOM.integers(0, 256, (300, 40, 3), dtype=np.uint8) for _ in range(2))
    whole = without_checkerboard(source, translation)
    monkeypatch.setattr(checkerboard, "STRIP_ROWS", 37)
    assert np.abs(without_checkerboard(source, translation).astype(int) - whole).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 2, 1), (HALO, 1, 3)])
def test_small_and_grey_pictures_have_an_output_of_their_shape(shape):
    source, translation = (RANDOM.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    assert without_checkerboard(source, translation).shape == shape


def test_16_bits_stay_16_bits():
    plain = smooth(64, 64)
    source, dotted = ((values * 257).round().astype(np.uint16) for values in (plain, plain + pattern(64, 64)))
    cleaned = without_checkerboard(source, dotted)
    assert cleaned.dtype == np.uint16
    assert np.abs(cleaned / 257 - plain).mean() < 0.2


@pytest.mark.parametrize("in_header", [False, True])
def test_a_translator_removes_it_where_the_model_or_the_caller_says_so(in_header, tmp_path: Path):
    model = write_model(tmp_path / "m.safetensors", remove_checkerboard=in_header)
    photo = pixels(smooth(40, 48))
    raw, removed, automatic = (
        Translator(model, checkerboard=choice, precision="fp32", device="cpu") for choice in ("keep", "remove", "auto")
    )
    expected = without_checkerboard(photo, raw(photo))
    assert not np.array_equal(expected, raw(photo))
    assert np.array_equal(removed(photo), expected)
    assert np.array_equal(automatic(photo), expected if in_header else raw(photo))
    batch = torch.rand(1, 3, 40, 48) * 2 - 1
    assert torch.equal(removed(batch), raw(batch))


def test_grey_pictures_that_a_model_colours_lose_it_too(tmp_path: Path):
    model = write_model(tmp_path / "m.safetensors", data={"channels_a": 1, "channels_b": 3})
    photo = pixels(smooth(40, 48))[:, :, :1]
    raw, removed = (Translator(model, checkerboard=choice, device="cpu") for choice in ("keep", "remove"))
    assert removed(photo).shape == (40, 48, 3)
    assert not np.array_equal(removed(photo), raw(photo))


def test_new_models_say_that_it_is_to_be_removed(tmp_path: Path, folders):
    run = Run(tmp_path / "run")
    train_run(run, folders, 1)
    assert load_model_info(run.model).remove_checkerboard
