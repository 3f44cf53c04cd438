"""Damage is called damage; a kind of file that is not read is said to be that, with what to do."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from cyclegan.errors import PictureError
from cyclegan.images import read_picture
from cyclegan.images.formats import FORMAT_OF, FORMATS
from tests.support.pictures import psd, smooth


def saved(image_format: str, **options) -> bytes:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(
        file := io.BytesIO(), image_format, **options
    )
    return file.getvalue()


NOT_READ = {
    "deep.jpg": lambda: bytes(imagecodecs.jpeg8_encode(smooth().astype(np.uint16) * 16, bitspersample=12)),
    "deep.psd": lambda: psd(bits=16),
    "raw.nef": lambda: b"anything at all",
    "kind.exr": lambda: b"v/1\1" + bytes(100),
    "named.dds": lambda: b"DDS " + bytes(200),
    "odd.bmp": lambda: saved("BMP")[:30] + struct.pack("<I", 77) + saved("BMP")[34:],
    "odd.tif": lambda: saved("TIFF").replace(
        struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, 34926)
    ),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_an_unsupported_file_is_not_called_damaged(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(NOT_READ[name]())
    with pytest.raises(PictureError, match=rf"{name} cannot be read here: ") as caught:
        read_picture(tmp_path / name)
    assert "damaged" not in str(caught.value)
    assert "save it as PNG" in caught.value.hint


@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "webp", "tif", "bmp", "gif", "avif", "tga", "jp2", "qoi", "pcx", "ppm"]
)
def test_a_truncated_file_is_called_damaged(suffix: str, tmp_path: Path):
    data = saved(FORMAT_OF[f".{suffix}"])
    (tmp_path / f"x.{suffix}").write_bytes(data[: len(data) // 2])
    with pytest.raises(PictureError, match=rf"x\.{suffix} is damaged: "):
        read_picture(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("suffix", sorted(FORMAT_OF))
@pytest.mark.parametrize("content", [b"<html>not found</html>", b"no picture", b"no", bytes(600), b"\xff" * 600])
def test_text_is_not_called_a_damaged_picture(suffix: str, content: bytes, tmp_path: Path):
    (tmp_path / f"x{suffix}").write_bytes(content)
    with pytest.raises(PictureError, match=r"x\.\w+ is not a picture in a format that can be read"):
        read_picture(tmp_path / f"x{suffix}")


def test_the_main_picture_of_a_heic_is_taken(tmp_path: Path):
    pictures = pillow_heif.from_pillow(Image.new("RGB", (64, 64), "red"))
    pictures.add_from_pillow(Image.new("RGB", (64, 64), "blue"))
    pictures.save(tmp_path / "x.heic", primary_index=1)
    picture = read_picture(tmp_path / "x.heic")
    assert picture.pixels[8, 8, 2] > 200
    assert picture.first_frame_note(Path("x")) == "x holds 2 pictures; the main one is taken."


@pytest.mark.parametrize("name", [name for name, kind in FORMATS.items() if kind.modes and name not in ("TGA", "HEIF")])
def test_a_file_is_what_its_content_says(name: str, tmp_path: Path):
    make: Callable[[], bytes] = lambda: saved(name)  # noqa: E731
    (tmp_path / "x.JPEG").write_bytes(make())
    assert read_picture(tmp_path / "x.JPEG").format == name
