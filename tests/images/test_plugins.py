"""Formats that are read and not written: JPEG XL, Photoshop and Radiance HDR."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from cyclegan.errors import PictureError
from cyclegan.images import Picture, read_picture, with_bits
from cyclegan.images.jxl import CONTAINER_SIGNATURE, Bits, read_jxl_header
from tests.support.pictures import psd, smooth, translate


def grown(channels: int, bits: int = 8, height: int = 50, width: int = 70) -> np.ndarray:
    values = smooth(height, width, channels).astype(np.uint16)
    return (values * 257).astype(np.uint16) if bits == 16 else values.astype(np.uint8)


@pytest.mark.parametrize("size", [(50, 70), (64, 64), (48, 64), (300, 200), (8, 16), (1, 1), (9, 700)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("options", [{"lossless": True}, {"level": 95}, {"usecontainer": True}], ids=str)
def test_a_jpeg_xl_is_read(size, channels, options, tmp_path):
    values = grown(channels, 8, *size)
    (tmp_path / "x.jxl").write_bytes(imagecodecs.jpegxl_encode(values[..., 0] if channels == 1 else values, **options))
    picture = read_picture(tmp_path / "x.jxl")
    colours = values[..., : 1 if channels < 3 else 3].astype(float)
    shown = colours if picture.alpha is None else colours * (picture.alpha[..., None] > 0)
    assert picture.pixels.shape == colours.shape
    assert (picture.alpha is None) == (channels in (1, 3))
    assert np.abs(picture.pixels * (shown != 0) - shown).mean() < 4


@pytest.mark.parametrize("channels", [1, 3])
def test_a_16_bit_jpeg_xl_is_not_darker(channels, tmp_path):
    values = grown(channels, 16)
    (tmp_path / "x.jxl").write_bytes(imagecodecs.jpegxl_encode(values.squeeze(), lossless=True))
    picture = read_picture(tmp_path / "x.jxl")
    assert picture.bits == (16 if channels == 1 else 8)
    light = values / 65535  # imagecodecs says so of 16 bits
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(with_bits(picture.pixels, 16) / 65535 - expected).max() < 0.03


def in_bits(*numbers: tuple[int, int]) -> bytes:
    """Return numbers, each of so many bits, as a JPEG XL header holds them."""
    value, place = 0, 0
    for number, bits in numbers:
        value, place = value | number << place, place + bits
    return b"\xff\x0a" + value.to_bytes(64, "little")


SIZE = ((1, 1), (0, 5), (1, 3))  # 8 x 8
PLAIN = (*SIZE, (0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1), (0, 1))  # and 8 bits, without extra channels


@pytest.mark.parametrize(
    ("colours", "points"),
    [
        (((0, 1), (0, 2), (1, 2), (2, 2), (9, 4), (0, 1), (2, 2), (11, 4)), (12, 13)),  # Display P3
        (((0, 1), (0, 2), (1, 2), (2, 2), (7, 4), (0, 1), (2, 2), (14, 4)), (9, 16)),  # BT.2100, PQ
        (((0, 1), (0, 2), (1, 2), (1, 2), (0, 1), (1, 2)), (1, 1)),  # BT.709
    ],
)
def test_code_points_of_a_jpeg_xl_are_read(colours, points):
    header = read_jxl_header(in_bits(*PLAIN, *colours))
    assert (header.width, header.height, header.colors) == (8, 8, points)


@pytest.mark.parametrize(
    "colours", [((1, 1),), ((0, 1), (0, 2), (2, 2), (0, 4)), ((0, 1), (0, 2), (1, 2), (1, 2), (1, 1))]
)
def test_a_jpeg_xl_with_an_icc_profile_is_an_error(colours):
    with pytest.raises(PictureError, match="its colours are said by a profile"):
        read_jxl_header(in_bits(*PLAIN, *colours))


def test_a_truncated_header_reads_as_zeros():
    assert Bits(b"\1").choice((0, 0), (5, 40), (0, 0), (0, 0)) == 5


@pytest.mark.parametrize("data", [b"\xff\x0a", CONTAINER_SIGNATURE + bytes(20), None], ids=["empty", "box", "half"])
def test_a_damaged_jpeg_xl_is_called_damaged(data, tmp_path):
    half = bytes(imagecodecs.jpegxl_encode(grown(3)))[:60]
    (tmp_path / "x.jxl").write_bytes(half if data is None else data)
    with pytest.raises(PictureError, match=r"x\.jxl is damaged"):
        read_picture(tmp_path / "x.jxl")


@pytest.mark.parametrize(("mode", "channels", "becomes"), [(1, 1, "L"), (3, 3, "RGB"), (3, 4, "RGBA"), (4, 4, "CMYK")])
def test_a_flat_psd_becomes_a_tiff_of_its_mode(mode, channels, becomes, tmp_path, idle):
    (tmp_path / "x.psd").write_bytes(psd(mode=mode, channels=channels))
    picture = read_picture(tmp_path / "x.psd")
    assert (picture.format, picture.frames) == ("PSD", 1)
    with Image.open(translate(tmp_path / "x.psd", idle)) as image:
        assert (image.format, image.mode) == ("TIFF", becomes)
    assert (tmp_path / "out" / "x.tif").exists()


def test_radiance_becomes_srgb_clipped_at_white(tmp_path, idle):
    light = np.full((24, 36, 3), 0.2140, dtype=np.float32)
    light[12:] = 7.0
    (tmp_path / "x.hdr").write_bytes(imagecodecs.rgbe_encode(light))
    pixels = read_picture(tmp_path / "x.hdr").pixels
    assert abs(int(pixels[3, 3, 0]) - 127) <= 1
    assert (pixels[12:] == 255).all()
    assert translate(tmp_path / "x.hdr", idle).name == "x.png"


def test_xyze_radiance_is_not_called_damaged(tmp_path):
    (tmp_path / "x.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_xyze\n\n-Y 8 +X 8\n" + bytes(400))
    with pytest.raises(PictureError, match=r"x\.hdr cannot be read here"):
        read_picture(tmp_path / "x.hdr")


def test_the_suffix_decides_what_a_jpeg_xl_becomes(tmp_path, idle):
    (tmp_path / "x.jpg").write_bytes(imagecodecs.jpegxl_encode(grown(3)))
    with Image.open(translate(tmp_path / "x.jpg", idle)) as image:
        assert image.format == "JPEG"
    assert isinstance(read_picture(tmp_path / "x.jpg"), Picture)
