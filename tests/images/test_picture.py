"""What goes in comes out: pixels, modes, formats."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan.errors import DiskError, PictureError
from cyclegan.images import Picture, read_picture, size_with_short_side, to_images, to_pixels, with_bits, write_picture


def noise(height: int = 9, width: int = 7, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_bytes_survive_conversion_to_floats():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    images = to_images(pixels)
    assert images.shape == (1, 3, 16, 16)
    assert (images.min(), images.max()) == (-1, 1)
    assert np.array_equal(to_pixels(images[0]), pixels)


def test_values_out_of_range_are_clipped():
    assert to_pixels(torch.tensor([-2.0, 0.0, 2.0]).reshape(3, 1, 1)).ravel().tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_a_picture_keeps_its_mode_and_size(mode: str):
    image = Image.fromarray(noise(channels=4), "RGBA") if "A" in mode else Image.fromarray(noise())
    image = Image.fromarray(noise()[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    back = Picture.from_image(image).to_image()
    assert (back.mode, back.size) == (image.mode, image.size)


def test_16_bits_are_scaled_not_clipped():
    image = Image.fromarray(np.array([[0, 257 * 100, 65535]], dtype=np.uint16))
    assert with_bits(Picture.from_image(image).pixels, 8)[0, :, 0].tolist() == [0, 100, 255]


@pytest.mark.parametrize("image_format", ["JPEG", "BMP", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK", "YCbCr", "LAB", "F", "I"])
def test_every_mode_can_be_written_in_every_format(tmp_path: Path, mode: str, image_format: str):
    image = Image.fromarray(noise(channels=4), "RGBA").convert(mode)
    write_picture(Picture.from_image(image), tmp_path / "x", image_format)
    with Image.open(tmp_path / "x") as written:
        assert written.size == image.size


def test_too_many_pixels_are_an_error_before_decoding(tmp_path: Path):
    Image.new("1", (100, 100)).save(tmp_path / "x.png")
    with pytest.raises(PictureError, match="100 x 100 pixels, more than 9,999"):
        read_picture(tmp_path / "x.png", max_pixels=9_999)


def test_a_failed_write_leaves_no_file(tmp_path: Path):
    (tmp_path / "x").touch()
    with pytest.raises(DiskError):
        write_picture(Picture(noise()), tmp_path / "x" / "y.png", "PNG")
    with pytest.raises(PictureError, match="cannot be written as WEBP"):
        write_picture(Picture(noise(1, 16384 * 2)), tmp_path / "wide.webp", "WEBP")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_size_means_the_shorter_side():
    assert size_with_short_side(300, 400, 64) == (64, 85)
    assert size_with_short_side(5000, 2, 64) == (160_000, 64)
