"""What is deeper than eight bits stays as deep, through every writer."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, TiffImagePlugin

from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.translation.pictures_for_tests import (
    deep_file,
    picture,
    read_levels,
    translate,
)


@pytest.mark.parametrize(  # Pillow opens no TIFF of two channels
    ("suffix", "channels"), [("png", 1), ("png", 2), ("png", 3), ("png", 4), ("tif", 1), ("tif", 3), ("tif", 4)]
)
def test_sixteen_bits_come_back_as_sixteen_bits(suffix: str, channels: int, tmp_path: Path, idle, translator):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20, channels), dtype=np.uint16)
    source = tmp_path / f"x.{suffix}"
    encode = imagecodecs.png_encode if suffix == "png" else imagecodecs.tiff_encode
    source.write_bytes(deep_file(levels, suffix, encode))
    stored = read_levels(source)
    assert np.array_equal(read_levels(translate(source, idle)), stored)
    redrawn = read_levels(translate(source, translator, overwrite=True))
    assert redrawn.shape == stored.shape
    assert len(np.unique(redrawn[..., 0] % 256)) > 50  # the low bytes are used
    if channels in (2, 4):
        assert np.array_equal(redrawn[..., -1], stored[..., -1])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("tile", [16, 100])
def test_a_generator_that_changes_nothing_changes_nothing_in_tiles(kind: type, tile: int, idle):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (217, 330, 3), dtype=kind, endpoint=True)
    before, idle.tile = idle.tile, tile
    try:
        assert not idle.fits_whole(217, 330, 1, torch.float32, idle.tile)
        assert np.array_equal(idle.translate_pixels([pixels])[0], pixels)
    finally:
        idle.tile = before


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_deep_tiffs_are_turned_too(orientation: int, tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20, 3), dtype=np.uint16)
    (tmp_path / "x.tif").write_bytes(deep_file(levels, "tif", None))
    with Image.open(tmp_path / "x.tif") as image:
        tags = image.tag_v2
    tags[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    tags[273] = (0,)
    tags.save(file)
    (tmp_path / "x.tif").write_bytes(file.getvalue() + levels.astype("<u2").tobytes())
    turned = {
        2: levels[:, ::-1],
        3: levels[::-1, ::-1],
        6: np.rot90(levels, -1),
        8: np.rot90(levels),
    }[orientation]
    assert np.array_equal(read_levels(translate(tmp_path / "x.tif", idle)), turned)


def test_a_planar_deep_tiff_is_read(tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (3, 12, 20), dtype=np.uint16)
    data = deep_file(np.moveaxis(levels, 0, -1).copy(), "tif", None)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    with Image.open(io.BytesIO(data)) as image:
        for tag, value in image.tag_v2.items():
            tags[tag] = value
    size = levels[0].nbytes
    tags[273], tags[279], tags[284] = (0, size, 2 * size), (size,) * 3, 2
    tags.save(file := io.BytesIO())
    (tmp_path / "x.tif").write_bytes(file.getvalue() + levels.astype("<u2").tobytes())
    assert np.array_equal(read_levels(translate(tmp_path / "x.tif", idle)), np.moveaxis(levels, 0, -1))


def test_deep_greys_with_transparency_become_a_tiff_that_others_open(tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20, 2), dtype=np.uint16)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(levels))
    [target] = plan_targets([tmp_path / "x.png"], "zebras", image_format="tif")
    assert not translate_targets([target], TranslateJob(idle, TranslateOptions())).failed
    with Image.open(target.path) as after:
        assert after.mode == "RGBA"
    assert np.array_equal(read_levels(target.path)[..., [0, 3]], levels)


def test_a_deep_pgm_stays_deep(tmp_path: Path, idle):
    levels = np.random.default_rng(0).integers(0, 65536, (12, 20), dtype=np.uint16)
    (tmp_path / "x.pgm").write_bytes(b"P5 20 12 65535\n" + levels.astype(">u2").tobytes())
    with Image.open(translate(tmp_path / "x.pgm", idle)) as after:
        assert np.array_equal(np.asarray(after), levels)


def test_a_hole_in_a_deep_grey_stays_a_hole(tmp_path: Path, idle):
    image = picture("I;16")
    image.save(tmp_path / "x.png", transparency=int(np.asarray(image)[5, 5]))
    levels = read_levels(translate(tmp_path / "x.png", idle))
    assert levels.shape[2] == 2
    assert (levels[5, 5, 1], levels[..., 1].max()) == (0, 65535)


def test_floats_of_unknown_white_are_refused(tmp_path: Path, translator):
    Image.fromarray(np.random.default_rng(0).random((8, 8)).astype(np.float32)).save(tmp_path / "x.tif")
    [target] = plan_targets([tmp_path / "x.tif"], "zebras")
    [error] = translate_targets([target], TranslateJob(translator, TranslateOptions())).failed
    assert "x.tif cannot be read: its values go from" in str(error)
