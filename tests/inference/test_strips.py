"""Large pictures: parts give what the whole would have given."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan import Translator
from cyclegan.inference import tiles
from cyclegan.inference.padding import PaddedPicture
from cyclegan.inference.strips import NormStatistics, translate_in_strips
from cyclegan.inference.tiles import cross_faded, tile_starts
from cyclegan.models import build_generator
from tests.support.models import write_model


def in_strips(generator, images: torch.Tensor, rows: int) -> torch.Tensor:
    picture = PaddedPicture(images, generator, torch.device("cpu"), images.dtype)
    with torch.inference_mode():
        return torch.cat(
            list(translate_in_strips(generator, picture, strip_height=rows, cache_dtype=images.dtype)), dim=2
        )


def test_a_single_pass_on_cuda_is_limited_in_elements(model, monkeypatch):
    translator = Translator(model, device="cpu")
    translator.device = torch.device("cuda")
    monkeypatch.setattr("cyclegan.inference.translator.free_memory", lambda _: 2**37)
    assert translator.fits_whole(20_000, 20_000, 1, torch.bfloat16, None)
    assert not translator.fits_whole(24_000, 24_000, 1, torch.bfloat16, None)
    assert not translator.fits_whole(20_000, 20_000, 2, torch.bfloat16, None)


@pytest.mark.parametrize(
    ("height", "width", "rows"), [(8, 8, 4), (64, 48, 16), (100, 52, 20), (64, 64, 7), (96, 64, 999)]
)
def test_strips_are_exact_for_the_resnet_generator(model, height: int, width: int, rows: int):
    generator = Translator(model, device="cpu", precision="fp32").generator(torch.float32)
    images = torch.rand(1, 3, height, width) * 2 - 1
    with torch.inference_mode():
        whole = generator(images)
    torch.testing.assert_close(in_strips(generator, images, rows), whole, atol=5e-5, rtol=0)


def test_strips_are_exact_with_batch_norm_too():
    from cyclegan.config import GeneratorConfig

    generator = build_generator(GeneratorConfig(width=4, blocks=2, norm="batch")).eval()
    images = torch.rand(1, 3, 40, 24) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(in_strips(generator, images, 8), generator(images), atol=1e-5, rtol=0)


def test_statistics_of_strips_equal_those_of_the_whole():
    whole = torch.randn(1, 5, 30, 11) * 3 + 40
    gathered = NormStatistics()
    for strip in whole.split([1, 7, 22], dim=2):
        gathered.add(strip)
    variance, mean = torch.var_mean(whole.double(), dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(gathered.mean, mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(gathered.squares / gathered.count, variance, atol=0, rtol=1e-4)


def photograph(height: int, width: int) -> np.ndarray:
    """Return something with edges and soft parts at many sizes."""
    random = np.random.default_rng(0)
    sheet = np.zeros((height, width, 3))
    for cells in (3, 12, 48):
        coarse = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        sheet += np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)) / 3
    return sheet.astype(np.uint8)


def jumps(output: np.ndarray, borders: list[int]) -> float:
    """Return how far rows jump at borders, as a multiple of how far they jump elsewhere."""
    steps = np.abs(np.diff(output.astype(float), axis=0)).mean(axis=(1, 2))
    at = np.isin(np.arange(len(steps)) + 1, borders)
    return float(steps[at].mean() / steps[~at].mean())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_strips_equal_a_single_pass_and_have_no_seams(model, precision: str):
    pixels = photograph(250, 375)
    whole = Translator(model, device="cpu", precision=precision, tile=4096).translate_pixels([pixels])[0]
    strips = Translator(model, device="cpu", precision=precision, tile=32).translate_pixels([pixels])[0]
    apart = np.abs(whole.astype(int) - strips).mean()
    assert apart < (0.1 if precision == "fp32" else 1)
    borders = [*range(32 - 13, 250, 32), *range(32, 250, 32)]  # of the strips that come out, and that go in
    assert abs(jumps(strips, borders) / jumps(whole, borders) - 1) < 0.05


def test_large_tensors_are_translated_in_strips(model):
    images = torch.rand(2, 3, 70, 50) * 2 - 1
    whole = Translator(model, device="cpu", precision="fp32")(images)
    parts = Translator(model, device="cpu", precision="fp32", tile=16)(images)
    torch.testing.assert_close(whole, parts, atol=1e-4, rtol=0)


def test_statistics_of_a_thumbnail_bring_tiles_nearer_to_the_whole(tmp_path: Path, monkeypatch):
    model = write_model(tmp_path / "m", architecture="unet", depth=4)
    pixels = photograph(300, 420)
    whole = Translator(model, device="cpu", precision="fp32", tile=4096).translate_pixels([pixels])[0].astype(int)
    translator = Translator(model, device="cpu", precision="fp32", tile=128)
    agreeing = translator.translate_pixels([pixels])[0]
    monkeypatch.setattr(tiles, "with_statistics_of", lambda generator, _: generator)
    naive = translator.translate_pixels([pixels])[0]
    assert agreeing.shape == whole.shape
    assert np.abs(whole - agreeing).mean() < 0.9 * np.abs(whole - naive).mean()


def test_tiles_cover_everything_and_are_cross_faded():
    assert tile_starts(100, 40, 10) == [0, 30, 60]
    assert tile_starts(101, 40, 10) == [0, 30, 60, 61]
    assert tile_starts(20, 40, 10) == [0]
    sheet = torch.rand(1, 3, 4, 101)
    parts = [(start, sheet[..., start : start + 40]) for start in tile_starts(101, 40, 10)]
    assert torch.equal(torch.cat(list(cross_faded(parts, dim=3)), dim=3), sheet)


SCRIPT = """
import resource, sys
from cyclegan.cli import main
sys.argv = ["cyclegan", "translate", *sys.argv[1:]]
try:
    main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no resource module there")
def test_a_photograph_of_24_megapixels_takes_less_than_3_gibibytes(tmp_path: Path):
    full = bool(os.environ.get("CYCLEGAN_LARGE"))  # the width of a real model; a quarter of it takes a minute
    model = write_model(tmp_path / "m.safetensors", width=64 if full else 8, blocks=9 if full else 1)
    Image.fromarray(photograph(4000, 6000)).save(tmp_path / "x.jpg")
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "x.jpg", "--model", model, "--output", tmp_path / "y.jpg", "--quiet"],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    with Image.open(tmp_path / "y.jpg") as written:
        assert written.size == (6000, 4000)
    assert int(ended.stdout.split()[-1]) < 3 * 1024
