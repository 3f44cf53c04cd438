"""16 bits per channel stay 16 bits, through every writer."""

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan.images.exif import ORIENTATION
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.support.pictures import picture, read_values, translate
from tests.support.tiffs import BLACK_IS_ZERO, RGB, tiff_file


def noise(channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (12, 20, channels), dtype=np.uint16)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_come_back(suffix: str, channels: int, tmp_path: Path, idle, translator):
    values, source = noise(channels), tmp_path / f"x.{suffix}"
    if suffix == "png":
        source.write_bytes(imagecodecs.png_encode(values.squeeze()))
    else:
        extra = (2,) if channels in (2, 4) else ()
        photometric = RGB if channels > 2 else BLACK_IS_ZERO
        source.write_bytes(tiff_file(values, bits=16, photometric=photometric, extra=extra))
    stored = read_values(source)
    assert np.array_equal(read_values(translate(source, idle)), stored)
    translation = read_values(translate(source, translator, overwrite=True))
    assert translation.shape == stored.shape
    assert len(np.unique(translation[..., 0] % 256)) > 50  # the low bytes are used
    if channels in (2, 4):
        assert np.array_equal(translation[..., -1], stored[..., -1])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("tile", [16, 100])
def test_tiles_of_an_identity_change_nothing(kind: type, tile: int, idle):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (217, 330, 3), dtype=kind, endpoint=True)
    before, idle.tile = idle.tile, tile
    try:
        assert not idle.fits_whole(217, 330, 1, torch.float32, idle.tile)
        assert np.array_equal(idle.translate_pixels([pixels])[0], pixels)
    finally:
        idle.tile = before


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_16_bit_tiffs_are_transposed(orientation: int, tmp_path: Path, idle):
    values = noise(3)
    (tmp_path / "x.tif").write_bytes(tiff_file(values, bits=16, photometric=RGB, tags={ORIENTATION: orientation}))
    expected = {
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        6: np.rot90(values, -1),
        8: np.rot90(values),
    }[orientation]
    assert np.array_equal(read_values(translate(tmp_path / "x.tif", idle)), expected)


def test_a_gray_alpha_png_becomes_an_rgba_tiff(tmp_path: Path, idle):
    values = noise(2)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(values))
    [target] = plan_targets([tmp_path / "x.png"], "zebras", image_format="tif")
    assert not translate_targets([target], TranslateJob(idle, TranslateOptions())).failed
    with Image.open(target.path) as after:
        assert after.mode == "RGBA"
    assert np.array_equal(read_values(target.path)[..., [0, 3]], values)


def test_a_16_bit_pgm_keeps_its_bits(tmp_path: Path, idle):
    values = np.random.default_rng(0).integers(0, 65536, (12, 20), dtype=np.uint16)
    (tmp_path / "x.pgm").write_bytes(b"P5 20 12 65535\n" + values.astype(">u2").tobytes())
    with Image.open(translate(tmp_path / "x.pgm", idle)) as after:
        assert np.array_equal(np.asarray(after), values)


def test_a_transparent_gray_of_16_bits_stays_transparent(tmp_path: Path, idle):
    image = picture("I;16")
    image.save(tmp_path / "x.png", transparency=int(np.asarray(image)[5, 5]))
    values = read_values(translate(tmp_path / "x.png", idle))
    assert values.shape[2] == 2
    assert (values[5, 5, 1], values[..., 1].max()) == (0, 65535)
