"""A damaged or cut TIFF is an error, and never filled with what lay in memory."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan.errors import PictureError
from cyclegan.images import read_picture
from tests.support.pictures import smooth
from tests.support.tiffs import BLACK_IS_ZERO, COMPRESSIONS, tiff_file

SIDE = 96
PAGE = (np.add.outer(np.arange(SIDE) // 7, np.arange(SIDE) // 5) % 2).astype(bool)
FAXES = {  # Pillow's compression, and options of group 3: two dimensions, fill bits
    "run lengths": ("tiff_ccitt", 0),
    "group 3": ("group3", 0),
    "group 3 in two dimensions": ("group3", 1),
    "group 3 with fill bits": ("group3", 5),
    "group 4": ("group4", 0),
}


def fax(compression: str, options: int, rows: int = SIDE, page: np.ndarray = PAGE) -> bytes:
    tags = {278: rows} | ({292: options} if options else {})
    Image.fromarray(page).save(file := io.BytesIO(), "TIFF", compression=compression, tiffinfo=tags)
    return file.getvalue()


def strips_of(tiff: bytes) -> list[tuple[int, int]]:
    """Return where each strip or tile starts, and its size."""
    with tifffile.TiffFile(io.BytesIO(tiff)) as file:
        return list(zip(file.pages.first.dataoffsets, file.pages.first.databytecounts, strict=True))


def zeroed(tiff: bytes, start: int, size: int) -> bytes:
    return tiff[: start + size // 2] + bytes(size - size // 2) + tiff[start + size :]


def garbled(tiff: bytes, start: int, size: int) -> bytes:
    rest = size - size // 2
    return tiff[: start + size // 2] + np.random.default_rng(0).bytes(rest) + tiff[start + size :]


def ended(tiff: bytes, start: int, size: int) -> bytes:
    """End the strip half-way with the code that ends a page."""
    rest = size - size // 2
    return tiff[: start + size // 2] + (b"\0\x10\1" * rest)[:rest] + tiff[start + size :]


def cut(tiff: bytes, start: int, size: int) -> bytes:
    """Say that the strip is half as long."""
    with tifffile.TiffFile(file := io.BytesIO(tiff), mode="r+b") as opened:
        tags = opened.pages.first.tags
        tag = tags.get(279) or tags[325]
        place = opened.pages.first.dataoffsets.index(start)
        sizes = [tag.value] if isinstance(tag.value, int) else list(tag.value)
        sizes[place] = size // 2
        tag.overwrite(sizes if len(sizes) > 1 else sizes[0])
        return file.getvalue()


DAMAGES = (zeroed, garbled, ended, cut)


def read(tiff: bytes, folder: Path) -> np.ndarray:
    (folder / "x.tif").write_bytes(tiff)
    return read_picture(folder / "x.tif").pixels


@pytest.mark.parametrize(("compression", "options"), FAXES.values(), ids=FAXES)
@pytest.mark.parametrize("rows", [SIDE, 10])
def test_faxes_are_read(compression, options, rows, tmp_path):
    page = PAGE[:, :-3]  # rows end within a byte
    assert np.array_equal(read(fax(compression, options, rows, page), tmp_path)[..., 0], page * np.uint8(255))


def test_a_fax_with_reversed_bits_is_read(tmp_path):
    tags = {278: SIDE, 262: 0, 266: 2}
    Image.fromarray(PAGE).save(file := io.BytesIO(), "TIFF", compression="group4", tiffinfo=tags)
    assert np.array_equal(read(file.getvalue(), tmp_path)[..., 0], PAGE * np.uint8(255))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("compression", "options"), FAXES.values(), ids=FAXES)
def test_a_damaged_fax_is_an_error(compression, options, damage, tmp_path):
    for rows in (SIDE, SIDE // 3):
        tiff = fax(compression, options, rows)
        with pytest.raises(PictureError, match=r"x\.tif is damaged"):
            read(damage(tiff, *strips_of(tiff)[-1]), tmp_path)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "jpeg", "zstd"])
def test_damaged_strips_and_tiles_are_an_error(compression, tiled, damage, tmp_path):
    noise = np.random.default_rng(0).integers(0, 30, (128, 128, 3))
    pixels = (smooth(128, 128) // 2 + noise).astype(np.uint8)
    options = {"tile": (64, 64)} if tiled else {"rowsperstrip": 32}
    tifffile.imwrite(file := io.BytesIO(), pixels, photometric="rgb", compression=compression, **options)
    tiff = file.getvalue()
    read(tiff, tmp_path)
    with pytest.raises(PictureError, match=r"x\.tif is damaged"):
        read(damage(tiff, *strips_of(tiff)[1]), tmp_path)


@pytest.mark.parametrize("compression", [name for name in COMPRESSIONS if name != "jpeg"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_truncated_tiff_is_an_error(compression, bits, tmp_path):
    values = np.random.default_rng(0).integers(0, 2**bits, (20, 30, 1)).astype("uint8" if bits == 8 else "uint16")
    tiff = tiff_file(values, bits=bits, photometric=BLACK_IS_ZERO, compression=compression)
    with pytest.raises(PictureError, match=r"x\.tif is damaged"):
        read(tiff[:-20], tmp_path)


@pytest.mark.parametrize("mode", ["P", "CMYK", "LAB"])
@pytest.mark.parametrize("damage", [garbled, cut])
def test_damage_in_other_color_spaces_is_an_error(mode, damage, tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.convert(mode).save(file := io.BytesIO(), "TIFF", compression="tiff_lzw", tiffinfo={278: 64})
    tiff = file.getvalue()
    with pytest.raises(PictureError, match=r"x\.tif is damaged"):
        read(damage(tiff, *strips_of(tiff)[0]), tmp_path)


def test_a_missing_strip_is_an_error(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", smooth(64, 64), photometric="rgb", rowsperstrip=16)
    with tifffile.TiffFile(tmp_path / "x.tif", mode="r+b") as opened:
        sizes = list(opened.pages.first.databytecounts)
        opened.pages.first.tags[279].overwrite([*sizes[:-1], 0])
    with pytest.raises(PictureError, match="3 of its 4 strips or tiles are there"):
        read_picture(tmp_path / "x.tif")
