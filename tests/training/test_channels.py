"""Grey domains, domains of unequal channels, and pictures of 16 bits."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan import Translator
from cyclegan.checkpoints.records import read_metrics
from cyclegan.checkpoints.run import Run
from cyclegan.config import build_config
from cyclegan.data.domains import load_domain
from cyclegan.data.loader import batches
from cyclegan.data.store import PictureStore
from cyclegan.images import scaled
from tests.support.runs import contents, tiny_settings, train_run


@pytest.fixture
def folders_16_bits(tmp_path: Path) -> tuple[Path, Path]:
    """Return grey pictures of 16 bits, and coloured ones of 16 bits with one of 8 among them."""
    random = np.random.default_rng(0)
    grey, colour = tmp_path / "grey", tmp_path / "colour"
    for folder in (grey, colour):
        folder.mkdir()
    for number in range(3):
        Image.fromarray(random.integers(0, 65536, (48, 60), dtype=np.uint16)).save(grey / f"{number}.tif")
        values = random.integers(0, 65536, (48, 60, 3), dtype=np.uint16)
        (colour / f"{number}.png").write_bytes(imagecodecs.png_encode(values))
    Image.fromarray(random.integers(0, 256, (48, 60, 3), dtype=np.uint8)).save(colour / "8.png")
    return grey, colour


GREY_TO_COLOUR = {"data": {"channels_a": 1}}
GREY = {"data": {"channels_a": 1, "channels_b": 1}}


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_training_uses_all_16_bits(folders_16_bits, tmp_path, cache: str):
    config = build_config(*tiny_settings(folders_16_bits, 4), GREY_TO_COLOUR, {"machine": {"cache": cache}})
    a, b = (load_domain(config, domain, scratch=tmp_path) for domain in "ab")
    assert {(picture.dtype.name, picture.shape[2]) for picture in a.pictures} == {("uint16", 1)}
    assert sorted(picture.dtype.name for picture in b.pictures) == ["uint16"] * 3 + ["uint8"]
    batch_a, batch_b, _ = next(batches(a, b, config, 0))
    assert (batch_a.dtype, batch_a.shape[1], batch_b.shape[1]) == (torch.uint16, 1, 3)
    images = scaled(batch_a)
    assert images.unique().numel() > 256
    assert images.min() >= -1
    assert images.max() <= 1


@pytest.mark.parametrize("setting", [{"rotate": 20.0}, {"color_jitter": 0.2}, {"quarter_turns": 1.0}])
def test_grey_16_bit_pictures_are_augmented(folders_16_bits, tmp_path, setting):
    config = build_config(*tiny_settings(folders_16_bits, 4), GREY_TO_COLOUR, {"data": setting})
    a, b = (load_domain(config, domain, scratch=tmp_path) for domain in "ab")
    for batch, channels in zip(next(batches(a, b, config, 0))[:2], (1, 3), strict=True):
        assert batch.shape == (2, channels, 32, 32)


def test_a_picture_store_returns_every_dtype(tmp_path: Path):
    store = PictureStore(budget=0, folder=tmp_path)
    pictures = [np.full((3, 5, 3), 200, np.uint8), np.full((3, 5, 1), 60_000, np.uint16), np.zeros((1, 1, 3), np.uint8)]
    for picture in pictures:
        store.add(picture)
    for kept, picture in zip(store.pictures(), pictures, strict=True):
        assert kept.dtype == picture.dtype
        assert np.array_equal(kept, picture)


def test_unequal_channels_are_trained_without_identity_loss(folders_16_bits, tmp_path):
    run = Run(tmp_path / "run")
    train_run(run, folders_16_bits, 4, GREY_TO_COLOUR)
    assert not any(name.startswith("identity") for line in read_metrics(run) for name in line)
    a2b, b2a = (Translator(run.folder, direction=direction, device="cpu") for direction in ("a2b", "b2a"))
    assert a2b(Image.new("L", (20, 30))).mode == "RGB"  # that is what it has learned
    assert a2b(Image.new("RGB", (20, 30))).mode == "RGB"
    assert b2a(Image.new("RGBA", (20, 30))).mode == "LA"
    assert b2a(Image.new("L", (20, 30))).mode == "L"
    assert a2b(torch.zeros(1, 1, 16, 16)).shape == (1, 3, 16, 16)


def test_two_grey_domains_have_an_identity_loss(folders_16_bits, tmp_path):
    run = Run(tmp_path / "run")
    train_run(run, folders_16_bits, 4, GREY)
    assert "identity_a" in read_metrics(run)[-1]
    translate = Translator(run.folder, device="cpu")
    for mode in ("L", "RGB", "I;16"):
        assert translate(Image.new(mode, (20, 30))).mode == mode


def test_a_continuation_with_unequal_channels_is_exact(folders_16_bits, tmp_path):
    for name, ends in (("whole", [8]), ("parts", [3, 8])):
        for end in ends:
            train_run(Run(tmp_path / name), folders_16_bits, end, GREY_TO_COLOUR)
    whole, parts = (contents(Run(tmp_path / name)) for name in ("whole", "parts"))
    assert whole["state"] == parts["state"]
