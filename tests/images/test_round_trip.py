"""What goes in comes out: every format, mode and size of a picture, through the whole translation."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclegan import Translator
from cyclegan.images import read_picture, with_bits
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.support.pictures import (
    difference,
    picture,
    smooth,
    translate,
)

SHARED = Path(__file__).parents[3] / "shared" / "horse2zebra" / "testA"


@dataclass
class Case:
    """A file, and what must come back of it."""

    suffix: str
    mode: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.suffix}-{self.mode}-{'-'.join(self.options)}"


CASES = [
    *[Case("png", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")],
    *[Case("tif", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "LAB")],
    *[Case("tif", "RGB", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits")],
    *[Case("jpg", mode) for mode in ("L", "RGB", "CMYK")],
    *[Case("jpg", "RGB", {"quality": quality}) for quality in (30, 90, 97)],
    Case("jpg", "RGB", {"progressive": True, "subsampling": 2}),
    *[Case("webp", mode, {"lossless": lossless}) for mode in ("RGB", "RGBA") for lossless in (False, True)],
    *[Case("avif", mode) for mode in ("RGB", "RGBA")],
    *[Case("bmp", mode) for mode in ("1", "L", "P", "RGB")],
    *[Case("gif", mode) for mode in ("L", "P")],
    *[Case("ppm", mode) for mode in ("L", "RGB")],
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_format_size_and_mode_come_back(case: Case, tmp_path: Path, translator: Translator, idle: Translator):
    source = tmp_path / f"x.{case.suffix}"
    picture(case.mode).save(source, **case.options)
    for network in (translator, idle):
        written = translate(source, network, overwrite=True)
        assert written.name == source.name
        with Image.open(source) as before, Image.open(written) as after:
            assert (after.format, after.size, after.mode) == (before.format, before.size, before.mode)
            if "A" in before.mode and before.mode != "LAB":
                alphas = [np.asarray(image.convert("RGBA"))[..., 3] for image in (before, after)]
                assert np.array_equal(*alphas) or case.suffix == "avif"
            if case.suffix == "tif":
                assert after.info["compression"] == before.info["compression"]
    assert difference(source, written) < (9 if case.mode in ("1", "P", "LAB") else 3)


def test_jpeg_tables_stay_or_become_finer(tmp_path: Path, idle):
    for quality, at_least in ((97, 97), (92, 92), (50, 90)):
        source = tmp_path / f"{quality}.jpg"
        picture("RGB").save(source, quality=quality, subsampling=1)
        with Image.open(translate(source, idle)) as after:
            reference = io.BytesIO()
            picture("RGB").save(reference, "JPEG", quality=at_least)
            assert after.quantization == Image.open(reference).quantization
    with Image.open(translate(source, idle, quality=60, overwrite=True)) as after:
        picture("RGB").save(reference := io.BytesIO(), "JPEG", quality=60)
        assert after.quantization == Image.open(reference).quantization


def test_hidden_colors_leave_no_fringe(tmp_path: Path, idle):
    colours = np.full((20, 20, 4), (200, 120, 40, 255), dtype=np.uint8)
    colours[:, 10:] = 0  # an editor's black under what cannot be seen
    Image.fromarray(colours).save(tmp_path / "x.png")
    assert (read_picture(tmp_path / "x.png").pixels == (200, 120, 40)).all()
    with Image.open(translate(tmp_path / "x.png", idle, size=40)) as after:
        seen = np.asarray(after)
    assert (seen[..., :3] == (200, 120, 40)).all()


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_palette_color_stays_transparent(suffix: str, tmp_path: Path, translator):
    image = picture("RGB").quantize(16)
    image.paste(3, (4, 4, 20, 12))
    image.save(tmp_path / f"x.{suffix}", transparency=3)
    written = translate(tmp_path / f"x.{suffix}", translator)
    with Image.open(tmp_path / f"x.{suffix}") as before, Image.open(written) as after:
        alphas = [np.asarray(image.convert("RGBA"))[..., 3] for image in (before, after)]
    assert (alphas[0] == 0).any()
    assert np.array_equal(*alphas)


def test_a_bigtiff_is_read(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.tif", big_tiff=True)
    assert difference(tmp_path / "x.tif", translate(tmp_path / "x.tif", idle)) == 0


def test_gray_stays_gray(tmp_path: Path, translator):
    for mode in ("L", "LA", "I;16"):
        picture(mode).save(tmp_path / f"{mode[0]}{len(mode)}.png")
    Image.fromarray(np.repeat(smooth()[..., :1], 3, axis=2)).save(tmp_path / "rgb.png")
    assert read_picture(translate(tmp_path / "L1.png", translator)).channels == 1
    assert read_picture(translate(tmp_path / "I4.png", translator)).channels == 1
    assert read_picture(translate(tmp_path / "rgb.png", translator)).mode == "RGB"


def test_the_first_of_several_pages_is_taken_with_a_note(tmp_path: Path, translator):
    picture("RGB").save(tmp_path / "x.tif", save_all=True, append_images=[picture("RGB")])
    [target] = plan_targets([tmp_path / "x.tif"], "zebras")
    assert (
        "holds 2 pictures; the first is taken"
        in translate_targets([target], TranslateJob(translator, TranslateOptions())).notes[0]
    )


def test_heic_comes_back(tmp_path: Path, idle):
    pillow_heif.register_heif_opener()
    picture("RGB").save(tmp_path / "x.heic", quality=95)
    with Image.open(translate(tmp_path / "x.heic", idle)) as after:
        assert (after.format, after.size) == ("HEIF", (36, 24))
        assert b"trainedAlgorithmicMedia" in after.info["xmp"]
    assert difference(tmp_path / "x.heic", tmp_path / "out" / "x.heic") < 4


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif", "avif"])
@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK", "I;16", "LAB", "F"])
def test_any_mode_can_become_any_format(suffix: str, mode: str, tmp_path: Path, idle):
    source = tmp_path / "x.tif"
    picture(mode).save(source)
    [target] = plan_targets([source], "zebras", output=tmp_path / "out", image_format=suffix)
    outcome = translate_targets([target], TranslateJob(idle, TranslateOptions()))
    assert not outcome.failed, outcome.failed
    with Image.open(target.path) as after:
        after.load()
        assert after.size == (36, 24)
    before, written = read_picture(source), read_picture(target.path)
    if before.alpha is not None and written.alpha is not None and suffix in ("png", "webp", "tif"):
        assert np.array_equal(with_bits(written.alpha[..., None], 8), with_bits(before.alpha[..., None], 8))
    if mode in ("CMYK", "LAB", "F"):
        assert difference(source, target.path) < 9


def test_a_real_photograph_comes_back(tmp_path: Path, idle):
    if not SHARED.is_dir():
        pytest.skip("the photographs are not here")
    for photograph in sorted(SHARED.iterdir())[:20]:
        source = tmp_path / photograph.name
        source.write_bytes(photograph.read_bytes())
        written = translate(source, idle)
        with Image.open(source) as before, Image.open(written) as after:
            assert (after.format, after.size, after.mode) == (before.format, before.size, before.mode)
        assert difference(source, written) < 1.5


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    mode=st.sampled_from(
        ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "CMYK", "YCbCr", "HSV", "I;16", "I", "F"]
    ),
    tile=st.sampled_from([0, 32]),
)
def test_any_size_and_mode_stay(translator, width, height, mode, tile):
    image = Image.fromarray(smooth(height, width, 4), "RGBA")
    if mode in ("I;16", "I", "F"):
        image = image.convert("L").convert(mode)
    elif mode in ("RGBa", "La"):
        image = image.convert({"La": "LA"}.get(mode, "RGBA")).convert(mode)
    else:
        image = (
            image.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "HSV", "P", "1") else image.convert(mode)
        )
    translator.tile = tile
    output = translator(image)
    assert output.size == (width, height)
    assert output.mode == {"RGBa": "RGBA", "La": "LA"}.get(mode, mode)
