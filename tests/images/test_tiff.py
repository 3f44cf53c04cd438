"""TIFFs of every kind of number and layout are read as what they show, or refused by a true message."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan.config import build_config
from cyclegan.data.domains import for_training, load_domain
from cyclegan.errors import DataError, PictureError
from cyclegan.images import read_picture, write_picture
from tests.support.pictures import smooth, translate
from tests.support.tiffs import BLACK_IS_ZERO, RGB, WHITE_IS_ZERO, tiff_file

# values: NumPy's kind and the bits of one, and what is white
NUMBERS = {
    **{f"uint{bits}": ("uint8" if bits <= 8 else "uint16", bits, 2**bits - 1) for bits in (1, 2, 4, 8, 10, 12, 14, 16)},
    **{f"uint{bits}": (f"uint{bits}", bits, 65535) for bits in (32, 64)},
    **{f"int{bits}": (f"int{bits}", bits, min(2 ** (bits - 1) - 1, 65535)) for bits in (8, 16, 32, 64)},
    **{f"float{bits}": (f"float{bits}", bits, 255) for bits in (16, 32, 64)},
}
LAYOUTS = {
    "grey": (BLACK_IS_ZERO, 1, False),
    "white is zero": (WHITE_IS_ZERO, 1, False),
    "rgb": (RGB, 3, False),
    "rgb in planes": (RGB, 3, True),
}


def ramp(channels: int) -> np.ndarray:
    """Return shares of white, h w c."""
    down, across = np.mgrid[0:17, 0:30]
    return np.stack([across / 29, down / 16, 1 - across / 29][:channels], axis=-1)


def stored(number: str, shares: np.ndarray) -> np.ndarray:
    dtype, _, white = NUMBERS[number]
    values = shares * white
    return (values if dtype.startswith("float") else np.rint(values)).astype(dtype)


def write(path: Path, number: str, layout: str, compression: str, order: str = "<") -> np.ndarray:
    """Write one cell of the table, and return what it shows as shares of white."""
    photometric, channels, planar = LAYOUTS[layout]
    values = stored(number, ramp(channels))
    _, bits, white = NUMBERS[number]
    path.write_bytes(
        tiff_file(values, bits=bits, photometric=photometric, planar=planar, compression=compression, order=order)
    )
    shares = values.astype(np.float64) / white
    return 1 - shares if photometric == WHITE_IS_ZERO else shares


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("number", NUMBERS)
def test_every_sample_format_and_layout_survives(number, layout, compression, tmp_path):
    expected = write(tmp_path / "x.tif", number, layout, compression)
    picture = read_picture(tmp_path / "x.tif")
    white = np.iinfo(picture.pixels.dtype).max
    assert np.abs(picture.pixels / white - expected).max() <= 0.5 / white + 1e-3 * number.startswith("float16")
    assert picture.bits == (8 if NUMBERS[number][1] <= 8 else 16)

    write_picture(picture, tmp_path / "y.tif", "TIFF")
    again = read_picture(tmp_path / "y.tif").pixels
    assert np.abs(again.astype(int) - picture.pixels).max() <= 16 * number.startswith("float16")  # of 65,535
    with tifffile.TiffFile(tmp_path / "y.tif") as file:
        assert file.pages.first.photometric in (BLACK_IS_ZERO, RGB)
        kind = f"uint{picture.bits}" if number.startswith("uint") and NUMBERS[number][1] <= 16 else number
        assert file.pages.first.dtype == ("bool" if number == "uint1" and layout[0] != "r" else kind)


@pytest.mark.parametrize("number", ["uint12", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_big_endian_equals_little_endian(number, layout, tmp_path):
    write(tmp_path / "little.tif", number, layout, "none")
    write(tmp_path / "big.tif", number, layout, "none", ">")
    one, other = (read_picture(tmp_path / name) for name in ("little.tif", "big.tif"))
    assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize("layout", ["grey", "white is zero", "rgb"])
def test_jpeg_in_a_tiff_is_read(layout, tmp_path):
    expected = write(tmp_path / "x.tif", "uint8", layout, "jpeg")
    assert np.abs(read_picture(tmp_path / "x.tif").pixels / 255 - expected).mean() < 0.02


@pytest.mark.parametrize("number", ["uint8", "uint16", "int16", "uint32", "float32"])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("planar", [False, True])
def test_alpha_of_every_sample_format_comes_back(number, channels, planar, tmp_path, idle):
    shares = np.concatenate([ramp(channels - 1), 0.1 + 0.9 * ramp(1)], axis=2)
    _, bits, white = NUMBERS[number]
    photometric = BLACK_IS_ZERO if channels == 2 else RGB
    values = stored(number, shares)
    data = tiff_file(values, bits=bits, photometric=photometric, planar=planar, extra=(2,))
    (tmp_path / "x.tif").write_bytes(data)
    picture = read_picture(tmp_path / "x.tif")
    assert np.abs(picture.alpha / np.iinfo(picture.alpha.dtype).max - shares[..., -1]).max() <= 1 / white
    assert np.abs(tifffile.imread(translate(tmp_path / "x.tif", idle)) - values.astype(float)).max() <= 0.01


def test_premultiplied_colors_are_divided_by_alpha(tmp_path):
    alpha = 0.5 + 0.5 * ramp(1)
    shares = np.concatenate([ramp(3) * alpha, alpha], axis=2)
    for number, white in (("uint8", 255), ("uint16", 65535)):
        data = tiff_file(stored(number, shares), bits=NUMBERS[number][1], photometric=RGB, extra=(1,))
        (tmp_path / "x.tif").write_bytes(data)
        assert np.abs(read_picture(tmp_path / "x.tif").pixels / white - ramp(3)).max() < 2 / white


REFUSED = {
    "two bands": ((2, "uint8", BLACK_IS_ZERO, ()), "its 2 channels"),
    "three bands": ((3, "uint16", BLACK_IS_ZERO, (0, 0)), "its 3 channels"),
    "six bands": ((6, "uint16", BLACK_IS_ZERO, ()), "its 6 channels"),
    "palette of 16 bits": ((1, "uint16", 3, ()), "PALETTE with 16 bits"),
    "CMYK with transparency": ((5, "uint8", 5, (2,)), "its 5 channels"),
    "a transparency mask": ((1, "uint8", 4, ()), "MASK"),
    "Lab of 16 bits": ((3, "uint16", 8, ()), "CIELAB with 16 bits"),
    "a camera's raw": ((1, "uint16", 32803, ()), "CFA"),
}


@pytest.mark.parametrize(("layout", "reason"), REFUSED.values(), ids=REFUSED)
def test_unknown_channels_are_an_error(layout, reason, tmp_path):
    channels, number, photometric, extra = layout
    values = stored(number, np.repeat(ramp(1), channels, axis=2))
    data = tiff_file(values, bits=NUMBERS[number][1], photometric=photometric, extra=extra)
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(PictureError, match=reason) as refused:
        read_picture(tmp_path / "x.tif")
    assert "damaged" not in str(refused.value)
    assert "x.tif cannot be read" in str(refused.value)
    assert refused.value.hint


UNKNOWN_WHITE = {
    "Hounsfield units": (np.int16, -1000, 1040, "have a sign and go from -1000 to 1040"),
    "signed bytes": (np.int8, -128, 127, "have a sign and go from -128 to 127"),
    "labels": (np.uint32, 0, 900_000, "0 to 65535 is what can be read"),
    "shares": (np.float32, 0, 0.9, "0 to 255 is what can be read"),
    "negative floats": (np.float64, -3, 200, "0 to 255 is what can be read"),
    "no number": (np.float32, 0, np.nan, "0 to 255 is what can be read"),
}


@pytest.mark.parametrize("kind", UNKNOWN_WHITE.values(), ids=UNKNOWN_WHITE)
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_of_unknown_white_are_an_error(kind, channels, tmp_path):
    dtype, low, high, reason = kind
    values = np.full((9, 12, channels), low, dtype=dtype)
    values[4:] = high
    data = tiff_file(values, bits=values.dtype.itemsize * 8, photometric=RGB if channels == 3 else BLACK_IS_ZERO)
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(PictureError, match=reason):
        read_picture(tmp_path / "x.tif")


@pytest.mark.parametrize("number", ["uint12", "int16", "float64"])
def test_training_sees_the_same_pixels(number, tmp_path):
    write(tmp_path / "x.tif", number, "white is zero", "none")
    trained_on = for_training(read_picture(tmp_path / "x.tif"), 17, 1, keep_aspect=True)
    assert np.array_equal(trained_on.pixels, read_picture(tmp_path / "x.tif").pixels)


def test_a_domain_of_bands_is_an_error_with_the_reason(tmp_path):
    (tmp_path / "a").mkdir()
    data = tiff_file(stored("uint16", np.repeat(ramp(1), 6, axis=2)), bits=16)
    (tmp_path / "a" / "x.tif").write_bytes(data)
    config = build_config({"data": {"folder_a": str(tmp_path / "a")}})
    with pytest.raises(DataError, match=r"x\.tif cannot be read: its 6 channels are not"):
        load_domain(config, "a", scratch=tmp_path)


@pytest.mark.parametrize("compression", ["lzma", "webp", "jpeg2000", "jpegxl", "lerc", "jpeg", "zstd"])
@pytest.mark.parametrize("tiled", [False, True])
def test_compressions_of_other_programs_are_read(compression, tiled, tmp_path):
    pixels = smooth(64, 96)
    lossless = {"compressionargs": {"lossless": True}} if compression == "webp" else {}
    options = {"tile": (32, 32)} if tiled else {"rowsperstrip": 64}
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", compression=compression, **options, **lossless)
    assert np.abs(read_picture(tmp_path / "x.tif").pixels.astype(int) - pixels).mean() < 2
    write_picture(read_picture(tmp_path / "x.tif"), tmp_path / "y.tif", "TIFF")
    with tifffile.TiffFile(tmp_path / "y.tif") as file:
        assert file.pages.first.compression.name == "ADOBE_DEFLATE"


def test_jpeg_in_ycbcr_is_read(tmp_path):
    Image.fromarray(smooth(64, 96)).convert("YCbCr").save(tmp_path / "x.tif", compression="jpeg")
    assert np.abs(read_picture(tmp_path / "x.tif").pixels.astype(int) - smooth(64, 96)).mean() < 3


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", ["none", "lzw", "deflate"])
@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_of_both_depths_is_read(planar, compression, bits, tmp_path):
    inks = np.concatenate([ramp(3), np.zeros((17, 30, 1))], axis=2)
    values = stored(f"uint{bits}", inks)
    data = tiff_file(values, bits=bits, photometric=5, planar=planar, compression=compression)
    (tmp_path / "x.tif").write_bytes(data)
    assert np.abs(read_picture(tmp_path / "x.tif").pixels / 255 - (1 - ramp(3))).max() < 0.01


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("compression", ["none", "lzw", "packbits"])
def test_palettes_of_every_depth_are_read(bits, compression, tmp_path):
    indices = np.add.outer(np.arange(17), np.arange(30))[..., None] % 2**bits
    colours = np.random.default_rng(0).integers(0, 256, (3, 2**bits))
    tags = {320: tuple((colours * 257).ravel().tolist())}
    data = tiff_file(indices.astype(np.uint8), bits=bits, photometric=3, compression=compression, tags=tags)
    (tmp_path / "x.tif").write_bytes(data)
    assert np.array_equal(read_picture(tmp_path / "x.tif").pixels, colours.T[indices[..., 0]])
