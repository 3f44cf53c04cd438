"""What a device cannot compute as planned is computed in smaller parts, then in fp32."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cyclegan import Translator
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from tests.support.models import write_model

NO_KERNEL = "could not create a primitive"
NO_MEMORY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes."


def fail_above(monkeypatch: pytest.MonkeyPatch, rows: int, message: str, dtypes=(torch.bfloat16,)) -> list[int]:
    """Make convolutions of more rows fail in these types; return the list that the rows of failures are added to."""
    failures: list[int] = []
    convolve = torch.nn.functional.conv2d

    def limited(x, *arguments, **options):
        if x.dtype in dtypes and x.shape[2] > rows:
            failures.append(x.shape[2])
            raise RuntimeError(message)
        return convolve(x, *arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "conv2d", limited)
    monkeypatch.setattr(
        nn.Conv2d, "forward", lambda layer, x: limited(x, layer.weight, layer.bias, layer.stride, layer.padding)
    )
    return failures


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("message", [NO_KERNEL, NO_MEMORY])
@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_a_failed_single_pass_is_repeated_in_strips(model, monkeypatch, message: str, kind: str):
    translate = Translator(model, device="cpu", precision="bf16")
    pixels = noise(150, 40)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    expected = translate(pixels) if kind == "array" else translate(tensor)
    failures = fail_above(monkeypatch, 100, message)
    result = translate(pixels) if kind == "array" else translate(tensor)
    assert failures
    assert set(translate.generators) == {torch.bfloat16}
    unit = 1 if kind == "array" else 2 / 255
    assert np.abs(np.asarray(result, dtype=float) - np.asarray(expected, dtype=float)).mean() < 2 * unit
    assert translate.fallbacks.notes == [
        "large pictures were translated in smaller parts, for lack of memory or kernels."
    ]


def test_failed_strips_are_repeated_in_fp32(model, monkeypatch):
    expected = Translator(model, device="cpu", precision="fp32")(noise(150, 40))
    translate = Translator(model, device="cpu", precision="bf16")
    failures = fail_above(monkeypatch, 4, NO_KERNEL)
    assert np.abs(translate(noise(150, 40)).astype(int) - expected).max() <= 1
    tried = len(failures)
    translate(noise(150, 40))
    assert len(failures) == tried  # what failed for this size is not tried again
    assert translate.fallbacks.notes == [
        "large pictures were translated in smaller parts and in fp32, for lack of memory or kernels."
    ]


def test_failed_strips_are_repeated_in_smaller_ones(model, monkeypatch):
    translate = Translator(model, device="cpu", precision="bf16", tile=64)
    fail_above(monkeypatch, 40, NO_KERNEL)
    assert translate(noise(150, 40)).shape == (150, 40, 3)
    assert set(translate.generators) == {torch.bfloat16}


def test_a_u_net_falls_back_too(tmp_path: Path, monkeypatch):
    model = write_model(tmp_path / "m", architecture="unet", depth=4)
    translate = Translator(model, device="cpu", precision="bf16")
    fail_above(monkeypatch, 0, NO_KERNEL)
    assert translate(Image.fromarray(noise(40, 24))).size == (24, 40)
    assert torch.float32 in translate.generators


def test_other_errors_are_not_repeated(model, monkeypatch):
    translate = Translator(model, device="cpu", precision="bf16")
    failures = fail_above(monkeypatch, 0, "an illegal memory access was encountered")
    with pytest.raises(RuntimeError, match="illegal"):
        translate(noise(150, 40))
    assert len(failures) == 1


def test_a_fallback_is_noted_once_for_all_pictures(model, tmp_path: Path, monkeypatch):
    translator = Translator(model, device="cpu", precision="bf16")
    (tmp_path / "in").mkdir()
    for number in range(3):
        Image.fromarray(noise(150, 40 + number)).save(tmp_path / "in" / f"{number}.png")
    fail_above(monkeypatch, 100, NO_KERNEL)
    results = [
        translate_targets(
            plan_targets([tmp_path / "in"], name), TranslateJob(translator, TranslateOptions(batch_size=2))
        )
        for name in "zy"
    ]
    assert [len(result.done) for result in results] == [3, 3]
    assert [len(result.notes) for result in results] == [1, 0]
