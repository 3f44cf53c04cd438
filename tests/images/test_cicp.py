"""Colours said by numbers (CICP), and profiles that lead one way only: right in sRGB, rightly tagged, or refused."""

import io
import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from cyclegan.errors import PictureError
from cyclegan.images import read_picture, with_bits, write_picture
from cyclegan.images.cicp import boxes
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.support.pictures import smooth, translate

COLOUR = (190, 90, 70)
WHITE = (0.3127, 0.3290)
CHROMATICITIES = {  # red, green, blue
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)),
}
P3, BT2020 = (12, 13), (9, 14)


def to_xyz(primaries: int) -> np.ndarray:
    """Return the matrix from linear RGB to XYZ."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in CHROMATICITIES[primaries]]).T
    x, y = WHITE
    return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))


def in_srgb(colour: tuple[int, ...], primaries: int, transfer: int) -> np.ndarray:
    """Return a colour in sRGB, 0 to 255, by the formulas of H.273 and IEC 61966-2-1."""
    value = np.array(colour) / 255
    if transfer == 13:
        light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    else:
        light = np.where(value < 0.081, value / 4.5, ((value + 0.099) / 1.099) ** (1 / 0.45))
    light = (np.linalg.inv(to_xyz(1)) @ to_xyz(primaries) @ light).clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def as_heic(pixels: np.ndarray, points: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(
        file,
        quality=100,
        color_primaries=points[0],
        transfer_characteristics=points[1],
        matrix_coefficients=6,
        full_range_flag=1,
        save_nclx_profile=True,
    )
    return file.getvalue()


def as_avif(pixels: np.ndarray, points: tuple[int, int]) -> bytes:
    return imagecodecs.avif_encode(pixels, 100, primaries=points[0], transfer=points[1], matrix=6)


def as_png(pixels: np.ndarray, points: tuple[int, int], full_range: int = 1) -> bytes:
    data = bytes(imagecodecs.png_encode(pixels))
    chunk = b"cICP" + bytes((*points, 0, full_range))
    return data[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


MAKERS: dict[str, Callable[[np.ndarray, tuple[int, int]], bytes]] = {"heic": as_heic, "avif": as_avif, "png": as_png}


def with_numbers(path: Path, points: tuple[int, int], pixels: np.ndarray | None = None) -> Path:
    path.write_bytes(
        MAKERS[path.suffix[1:]](np.full((16, 24, 3), COLOUR, np.uint8) if pixels is None else pixels, points)
    )
    return path


@pytest.mark.parametrize("points", [P3, BT2020, (9, 1), (1, 6), (12, 2)], ids=str)
@pytest.mark.parametrize("suffix", MAKERS)
def test_code_points_become_a_correct_profile(suffix, points, tmp_path, idle):
    source = with_numbers(tmp_path / f"x.{suffix}", points)
    before = with_bits(read_picture(source).pixels, 8).reshape(-1, 3)
    expected = in_srgb(COLOUR, points[0], 13 if points[1] == 2 else points[1])
    assert np.abs(before - expected).max() < 4
    written = translate(source, idle)
    after = with_bits(read_picture(written).pixels, 8).reshape(-1, 3)
    assert np.abs(after - before.astype(float)).max() < 4
    with Image.open(written) as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        shown = ImageCms.profileToProfile(image.convert("RGB"), profile, ImageCms.createProfile("sRGB"))
        assert np.abs(np.asarray(shown).astype(float) - expected).max() < 5


def test_a_16_bit_png_keeps_its_code_points(tmp_path, idle):
    levels = smooth().astype(np.uint16) * 257
    source = with_numbers(tmp_path / "x.png", P3, levels)
    translate(source, idle)
    written = imagecodecs.png_decode((tmp_path / "out" / "x.png").read_bytes())
    inside = ((read_picture(source).pixels > 0) & (read_picture(source).pixels < 65535)).all(axis=2)
    assert np.abs(written.astype(int) - levels)[inside].max() < 257
    assert b"iCCP" in (tmp_path / "out" / "x.png").read_bytes()


def test_code_points_of_a_gray_picture_become_a_gray_profile(tmp_path, idle):
    grey = np.full((16, 24), 128, np.uint8)
    assert read_picture(with_numbers(tmp_path / "plain.png", P3, grey)).profile is None
    picture = read_picture(with_numbers(tmp_path / "x.png", (9, 8), grey))  # light as it is
    assert picture.pixels.shape == (16, 24, 1)
    assert abs(int(with_bits(picture.pixels, 8)[8, 8, 0]) - 188) <= 1
    with Image.open(translate(tmp_path / "x.png", idle)) as image:
        assert image.mode == "L"
        assert image.info["icc_profile"][16:20] == b"GRAY"
        assert abs(image.getpixel((8, 8)) - 128) <= 1


@pytest.mark.parametrize("suffix", MAKERS)
def test_code_points_of_srgb_add_no_profile(suffix, tmp_path, idle):
    with Image.open(translate(with_numbers(tmp_path / f"x.{suffix}", (1, 13)), idle)) as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
@pytest.mark.parametrize("suffix", MAKERS)
def test_high_dynamic_range_is_an_error(suffix, transfer, name, tmp_path):
    with pytest.raises(PictureError, match=rf"x\.{suffix} cannot be read: .*\({name}\)") as caught:
        read_picture(with_numbers(tmp_path / f"x.{suffix}", (9, transfer)))
    assert "standard dynamic range" in caught.value.hint
    assert "damaged" not in str(caught.value)


def test_an_hdr_profile_is_an_error(tmp_path):
    tag = b"cicp\0\0\0\0" + bytes((9, 16, 0, 1))
    profile = made_profile(b"RGB ", [(b"cicp", tag)])
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", icc_profile=profile)
    with pytest.raises(PictureError, match=r"high dynamic range \(PQ\)"):
        read_picture(tmp_path / "x.jpg")


@pytest.mark.parametrize(("points", "full_range"), [((10, 13), 1), ((1, 17), 1), ((77, 1), 1), ((12, 13), 0)])
def test_unknown_code_points_are_an_error(points, full_range, tmp_path):
    (tmp_path / "x.png").write_bytes(as_png(smooth(), points, full_range))
    with pytest.raises(PictureError, match=r"x\.png cannot be read: its colours"):
        read_picture(tmp_path / "x.png")


@pytest.mark.parametrize("cut", range(0, 400, 23))
def test_truncated_boxes_end_quietly(cut: int):
    assert sum(1 for _ in boxes(as_avif(smooth(), P3)[:cut])) < 4


# ---- profiles of one direction


def made_profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    """Return an ICC profile, version 2, from a colour space to XYZ."""
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += struct.pack(">4sII", name, place + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    size = place + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"scnr", space, b"XYZ ").ljust(36, b"\0") + b"acsp"
    return (head.ljust(68, b"\0") + struct.pack(">III", 63190, 65536, 54061)).ljust(128, b"\0") + table + body


def lut(corners: np.ndarray, curve: np.ndarray, channels: int) -> bytes:
    """Return an `mft2` table: a curve for each channel, then values 0 to 65535 at the corners of a cube."""
    head = struct.pack(
        ">4sIBBBx9iHH", b"mft2", 0, channels, 3, 2, *(65536 * np.eye(3, dtype=int)).ravel(), len(curve), 2
    )
    straight = np.array([0, 65535] * 3)
    return head + b"".join(
        part.astype(">u2").tobytes() for part in (np.tile(curve, channels), corners.ravel(), straight)
    )


def one_way(channels: int, back: bytes = b"") -> bytes:
    """Return a profile whose red and blue are swapped, or of CMYK, with a way to XYZ; `back` is the other one."""
    to_d50 = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])
    value = np.linspace(0, 1, 1024)
    curve = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4) * 65535
    corners = np.array(list(itertools.product((0, 1), repeat=channels)), dtype=float)
    if channels == 4:
        corners, curve = (1 - corners[:, :3]) * (1 - corners[:, 3:]), np.linspace(0, 65535, 1024)
    else:
        corners = corners[:, ::-1]
    tags = [(b"A2B0", lut((corners @ to_d50.T * 32768).clip(0, 65535).round(), curve.round(), channels))]
    return made_profile(b"RGB " if channels == 3 else b"CMYK", tags + ([(b"B2A0", back)] if back else []))


def nothing() -> bytes:
    """Return a table that leaves values as they are, as JPEGs in XYB have it for the way back."""
    corners = np.array(list(itertools.product((0, 65535), repeat=3)))
    return lut(corners, np.array([0, 65535]), 3)


@pytest.mark.parametrize("back", [b"", nothing()], ids=["no way back", "a way back that does nothing"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_one_way_profile_becomes_srgb(suffix, back, tmp_path, idle):
    source = tmp_path / f"x.{suffix}"
    Image.new("RGB", (24, 16), COLOUR[::-1]).save(source, icc_profile=one_way(3, back), quality=95)
    [target] = plan_targets([source], "zebras", output=tmp_path / "out")
    outcome = translate_targets([target], TranslateJob(idle, TranslateOptions()))
    assert any("leads to sRGB and not back" in note and "x." in note for note in outcome.notes)
    with Image.open(target.path) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - COLOUR).max() < 6
        description = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))
        assert "sRGB" in description


def test_a_one_way_cmyk_profile_becomes_srgb(tmp_path, idle):
    Image.new("CMYK", (24, 16), (0, 128, 255, 0)).save(tmp_path / "x.tif", icc_profile=one_way(4))
    written = translate(tmp_path / "x.tif", idle)
    with Image.open(written) as image:
        assert image.mode == "RGB"
        red, green, blue = np.asarray(image)[8, 8]
        assert red > 240
        assert 170 < green < 200
        assert blue < 30


def test_the_profile_of_a_jpeg_2000_is_applied(tmp_path):
    Image.new("RGB", (16, 16), COLOUR).save(file := io.BytesIO(), "JPEG2000")
    profile = imagecodecs.cms_profile(
        "rgb", whitepoint=WHITE, primaries=np.ravel(CHROMATICITIES[12]).tolist(), gamma=2.2
    )
    data, plain = file.getvalue(), struct.pack(">I4sBBBI", 15, b"colr", 1, 0, 0, 16)
    assert plain in data
    grown = data.replace(plain, struct.pack(">I4sBBB", 11 + len(profile), b"colr", 2, 0, 0) + profile)
    at = grown.index(b"jp2h") - 4
    size = int.from_bytes(grown[at : at + 4], "big") + len(profile) - 4
    (tmp_path / "x.jp2").write_bytes(grown[:at] + struct.pack(">I", size) + grown[at + 4 :])
    picture = read_picture(tmp_path / "x.jp2")
    assert np.abs(with_bits(picture.pixels, 8)[8, 8] - in_srgb(COLOUR, 12, 13)).max() < 5


@pytest.mark.parametrize(("suffix", "name"), [("bmp", "BMP"), ("gif", "GIF"), ("tga", "TGA"), ("jp2", "JPEG2000")])
def test_a_format_without_profiles_is_written_in_srgb(suffix, name, tmp_path):
    picture = read_picture(with_numbers(tmp_path / "x.png", P3))
    write_picture(picture, tmp_path / f"y.{suffix}", name)
    with Image.open(tmp_path / f"y.{suffix}") as image:
        assert np.abs(np.asarray(image.convert("RGB"))[8, 8] - in_srgb(COLOUR, *P3)).max() < 2


def animated_png(points: tuple[int, int]) -> bytes:
    """Return an APNG of two frames whose colours are said by numbers."""
    frames = [Image.fromarray(smooth() + number) for number in range(2)]
    frames[0].save(file := io.BytesIO(), "PNG", save_all=True, append_images=frames[1:])
    chunk, data = b"cICP" + bytes((*points, 0, 1)), file.getvalue()
    return data[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def test_an_animation_turns_code_points_into_a_profile(tmp_path, idle):
    (tmp_path / "x.apng").write_bytes(animated_png(P3))
    with Image.open(translate(tmp_path / "x.apng", idle)) as image:
        assert image.is_animated
        assert image.info["icc_profile"]


def test_an_hdr_animation_is_an_error(tmp_path, idle):
    (tmp_path / "x.apng").write_bytes(animated_png((9, 16)))
    [target] = plan_targets([tmp_path / "x.apng"], "zebras")
    [error] = translate_targets([target], TranslateJob(idle, TranslateOptions())).failed
    assert "high dynamic range (PQ)" in str(error)
