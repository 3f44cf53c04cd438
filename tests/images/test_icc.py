"""Colour profiles and gamma come back, and are understood."""

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from cyclegan.images import read_picture, with_bits, write_picture
from cyclegan.images.icc import srgb
from tests.support.pictures import difference, picture, read_values, smooth, translate

WIDE = imagecodecs.cms_profile("adobergb")
GREY = imagecodecs.cms_profile("gray", gamma=1.8)

PROFILES = {
    "png": ("png", "RGB", WIDE),
    "jpg": ("jpg", "RGB", WIDE),
    "tif with alpha": ("tif", "RGBA", WIDE),
    "webp": ("webp", "RGB", WIDE),
    "grey png": ("png", "L", GREY),
}


@pytest.mark.parametrize(("suffix", "mode", "profile"), PROFILES.values(), ids=PROFILES)
def test_an_icc_profile_is_applied_and_comes_back(suffix, mode, profile, tmp_path, both):
    source = tmp_path / f"x.{suffix}"
    soft = Image.fromarray((smooth() * 0.5 + 60).astype(np.uint8)).convert(mode)  # within sRGB, so nothing is cut off
    soft.save(source, icc_profile=profile, **({"lossless": True} if suffix == "webp" else {}))
    seen = with_bits(read_picture(source).pixels, 8).astype(int)
    stored = np.asarray(soft.convert("L" if mode == "L" else "RGB")).astype(int).reshape(seen.shape)
    assert np.abs(seen - stored).max() > 5  # what the network sees has been converted
    for network in both:
        with Image.open(translate(source, network, overwrite=True)) as after:
            assert after.info["icc_profile"] == profile
            values = np.asarray(after.convert(soft.mode)).astype(int)
    assert np.abs(values - np.asarray(soft)).mean() < (1.5 if suffix == "jpg" else 0.5)


def test_a_profile_of_srgb_changes_nothing(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.png", icc_profile=srgb())
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.array_equal(np.asarray(after), smooth())
        assert after.info["icc_profile"] == srgb()


@pytest.mark.parametrize("profile", [b"no profile at all", GREY, b"\0" * 200], ids=["text", "of greys", "zeros"])
def test_an_invalid_profile_is_passed_on(profile: bytes, tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.png", icc_profile=profile)
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.array_equal(np.asarray(after), smooth())
        assert after.info["icc_profile"] == profile


def test_a_profile_keeps_16_bits(tmp_path: Path, idle):
    values = (smooth().astype(np.uint16) * 100) + 9000
    data = imagecodecs.png_encode(values)
    source = tmp_path / "x.png"
    source.write_bytes(data)
    image = read_picture(source)
    image.profile = WIDE
    write_picture(image, source, "PNG")
    before = read_values(source)
    after = translate(source, idle)
    assert np.abs(read_values(after).astype(int) - before).mean() < 8  # of 65,535
    with Image.open(after) as written:
        assert written.info["icc_profile"] == WIDE


def test_a_lossless_webp_with_a_long_profile_stays_lossless(tmp_path: Path, idle):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(
        tmp_path / "x.webp", lossless=True, icc_profile=srgb() + bytes(9_000)
    )
    assert difference(tmp_path / "x.webp", translate(tmp_path / "x.webp", idle)) == 0


def test_gamma_of_a_png_becomes_a_profile(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    gamma = b"gAMA" + struct.pack(">I", 100_000)  # 1: values proportional to light
    (tmp_path / "x.png").write_bytes(
        data[:33] + struct.pack(">I", 4) + gamma + struct.pack(">I", zlib.crc32(gamma)) + data[33:]
    )
    assert with_bits(read_picture(tmp_path / "x.png").pixels, 8).mean() > smooth().mean() + 20
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.abs(np.asarray(after).astype(int) - smooth()).max() <= 1
        assert after.info["icc_profile"]
