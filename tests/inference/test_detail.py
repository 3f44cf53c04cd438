"""Translations keep the photograph's own detail, and change what the network changes in its small copy."""

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan import Translator
from cyclegan.checkpoints.model_file import load_model, save_model
from cyclegan.config.keep import Keep, parse_keep
from cyclegan.errors import ConfigError, ModelFileError
from cyclegan.images import resized, to_images
from cyclegan.inference.detail import SLOPES, with_detail
from tests.support.models import write_model


def photograph(height: int, width: int, channels: int = 3, bits: int = 8) -> np.ndarray:
    """Return a photograph of soft regions, sharp edges and fine grain."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width] / 40
    regions = 90 + 50 * np.sin(x)[..., None] * np.cos(y[..., None] + np.arange(channels))
    regions[height // 3 :] += 40
    grain = random.normal(0, 8, (height, width, 1))
    return np.clip((regions + grain) * (257 if bits == 16 else 1), 0, 2**bits - 1).astype(f"uint{bits}")


def small(pixels: np.ndarray) -> torch.Tensor:
    return to_images(resized(pixels, pixels.shape[1] // 4, pixels.shape[0] // 4))


def luma(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64) @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
def test_nothing_changed_leaves_every_pixel(channels, bits):
    pixels = photograph(120, 163, channels, bits)
    assert np.array_equal(with_detail(pixels, small(pixels), small(pixels)), pixels)


def test_a_uniform_change_is_the_same_everywhere():
    pixels = photograph(300, 163)
    output = with_detail(pixels, small(pixels), small(pixels) + 0.2)
    difference = output.astype(int) - pixels
    assert np.abs(difference[pixels < 220] - 0.1 * 255).max() < 1


def test_strips_leave_no_seam(monkeypatch):
    pixels = photograph(300, 90)
    change = small(pixels) * 0.7 + 0.1
    whole = with_detail(pixels, small(pixels), change)
    monkeypatch.setattr("cyclegan.inference.detail.STRIP_ROWS", 7)
    assert np.array_equal(with_detail(pixels, small(pixels), change), whole)


def test_detail_follows_an_edge_without_a_halo():
    pixels = np.full((128, 128, 3), 40, np.uint8)
    pixels[:, 64:] = 200
    before = small(pixels)
    after = torch.where(before > 0, before + 0.3, before)  # the bright half becomes brighter
    output = with_detail(pixels, before, after)
    assert np.abs(output[:, 48:64].astype(int) - 40).max() <= 6  # the dark half, up to the edge
    assert output[:, 66:80].min() >= 200 + 30


def test_contrast_changes_within_limits():
    pixels = photograph(160, 160)
    source = small(pixels)
    contrast = np.abs(np.diff(luma(pixels), axis=1)).mean()
    flat = with_detail(pixels, source, torch.zeros_like(source))
    loud = with_detail(pixels, source, source * 9)
    assert np.abs(np.diff(luma(flat), axis=1)).mean() >= 0.95 * (1 + SLOPES[0]) * contrast
    assert np.abs(np.diff(luma(loud), axis=1)).mean() <= 1.05 * (1 + SLOPES[1]) * contrast


def test_color_keeps_the_brightness():
    pixels = photograph(160, 120) // 2 + 60  # far from black and white, where clipping would change it
    after = small(pixels) + torch.tensor([0.3, -0.1, -0.2]).view(1, 3, 1, 1)
    output = with_detail(pixels, small(pixels), after, color_only=True)
    assert np.abs(luma(output) - luma(pixels)).max() <= 0.6
    assert (output[..., 0].astype(int) - pixels[..., 0]).mean() > 15


def test_color_keeps_the_brightness_where_contrast_is_limited():
    pixels = photograph(160, 120) // 2 + 60
    source = small(pixels)
    after = source * torch.tensor([4.0, 1.0, -2.0]).view(1, 3, 1, 1)  # slopes beyond their limits
    output = with_detail(pixels, source, after, color_only=True)
    inside = (output > 0).all(axis=2) & (output < 255).all(axis=2)  # elsewhere clipping changes it
    assert np.abs(luma(output) - luma(pixels))[inside].max() <= 0.6


def test_a_picture_smaller_than_the_scale_is_translated_as_it_is(tmp_path):
    path = write_model(tmp_path / "m.safetensors", short_side=40)
    pixels = photograph(40, 50)
    plain, kept = (Translator(path, device="cpu", precision="fp32", keep=keep) for keep in ("none", "detail"))
    assert np.array_equal(kept(pixels), plain(pixels))


@pytest.mark.parametrize("channels", [(1, 3), (3, 1), (1, 1), (3, 3)])
@pytest.mark.parametrize("keep", ["detail", "color=24"])
def test_models_of_every_channels_keep_detail(tmp_path, channels, keep):
    data = {"channels_a": channels[0], "channels_b": channels[1]}
    path = write_model(tmp_path / "m.safetensors", short_side=32, data=data)
    translate = Translator(path, device="cpu", precision="fp32", keep=keep)
    pixels = photograph(70, 90, channels[0], 16)
    output = translate(pixels)
    assert output.shape == (70, 90, channels[1])
    assert output.dtype == np.uint16
    assert translate(Image.new("LA", (60, 80))).size == (60, 80)


def test_the_network_sees_the_size_asked_for(tmp_path):
    path = write_model(tmp_path / "m.safetensors", short_side=40)
    for keep, side in (("detail", 40), ("detail=24", 24), ("color=64", 64)):
        translate = Translator(path, device="cpu", precision="fp32", keep=keep)
        seen = []
        translate.generators[torch.float32].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs))
        translate(photograph(100, 150))
        assert [min(images.shape[2:]) for (images,) in seen] == [side]


def test_auto_follows_the_model(tmp_path):
    written = write_model(tmp_path / "m.safetensors", short_side=40, keep="detail=24")
    assert Translator(written, device="cpu").keep == Keep("detail", 24)
    assert Translator(written, device="cpu", keep="none").keep == Keep()
    assert not Translator(write_model(tmp_path / "old.safetensors"), device="cpu").keep.is_active


def test_a_header_that_keeps_nonsense_is_an_error(tmp_path):
    path = write_model(tmp_path / "m.safetensors")
    info, weights = load_model(path)
    for fact, value in (("keep", "everything"), ("short_side", -3), ("short_side", "wide")):
        save_model(path, type(info)(**{**vars(info), fact: value}), weights)
        with pytest.raises(ModelFileError, match="makes no sense"):
            load_model(path)


@pytest.mark.parametrize("text", ["detail", "color", "none", "detail=128", "color=16"])
def test_what_is_kept_is_written_as_it_is_read(text):
    assert str(parse_keep(text)) == text


@pytest.mark.parametrize(
    "text", ["", "details", "none=3", "detail=", "detail=15", "detail=9999", "detail=1e3", "color=٣٢"]
)
def test_a_misspelt_keep_is_an_error(text):
    with pytest.raises(ConfigError):
        parse_keep(text)
