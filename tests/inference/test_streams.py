"""Pictures are translated several at a time on a CPU, each as if it were alone."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan import Translator
from cyclegan.inference import translator as translator_module
from cyclegan.inference.streams import Streams
from cyclegan.translation import TranslateJob, TranslateOptions, TranslateResult, plan_targets, translate_targets

pytestmark = pytest.mark.usefixtures("two_operator_threads")


def folder_of(path: Path, *shapes: tuple[int, int]) -> Path:
    path.mkdir()
    for number, shape in enumerate(shapes):
        pixels = np.random.default_rng(number).integers(0, 256, (*shape, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / f"{number}.png")
    return path


def translate_folder(translator: Translator, folder: Path, output: Path, **options) -> TranslateResult:
    targets = plan_targets([folder], "zebras", output=output)
    return translate_targets(targets, TranslateJob(translator, TranslateOptions(**options)))


def watch(monkeypatch) -> list[tuple[str, int]]:
    """Return a list that fills with the thread and its number of operators' threads at each call of the network."""
    seen: list[tuple[str, int]] = []
    whole = Translator._translate_whole

    def watched(*arguments):
        seen.append((threading.current_thread().name, torch.get_num_threads()))
        return whole(*arguments)

    monkeypatch.setattr(Translator, "_translate_whole", watched)
    return seen


@pytest.mark.parametrize("backend", ["torch", "openvino"])
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.usefixtures("without_shape_checks")
def test_each_picture_is_translated_by_one_of_two_threads(tmp_path, model: Path, monkeypatch, backend, batch_size):
    translator = Translator(model, device="cpu", precision="fp32", backend=backend)
    folder = folder_of(tmp_path / "a", *[(20, 24)] * 3, (16, 16), (20, 24))
    seen = watch(monkeypatch)
    assert translate_folder(translator, folder, tmp_path / "b", batch_size=batch_size).failed == []
    assert {name.rpartition("_")[0] for name, _ in seen} == {"stream"}
    assert {threads for _, threads in seen} == {1}
    assert torch.get_num_threads() == 2
    alone = Translator(model, device="cpu", precision="fp32")
    for path in folder.iterdir():
        translation = np.asarray(Image.open(tmp_path / "b" / path.name)).astype(int)
        assert np.abs(translation - np.asarray(alone(path))).max() <= (
            0 if backend == "torch" and batch_size == 1 else 1
        )


def test_a_picture_that_is_alone_gets_all_threads(tmp_path, model: Path, monkeypatch):
    seen = watch(monkeypatch)
    translate_folder(Translator(model, device="cpu"), folder_of(tmp_path / "a", (20, 24)), tmp_path / "b")
    assert seen == [(threading.current_thread().name, 2)]


def gif_of(path: Path, frames: int) -> Path:
    """Write an animation alone in a folder, with frames that two colours show exactly."""
    path.mkdir()
    pixels = [np.full((20, 24, 3), (number, 0, 255 - number), np.uint8) for number in range(0, 20 * frames, 20)]
    first, *rest = map(Image.fromarray, pixels)
    first.save(path / "a.gif", save_all=True, append_images=rest)
    return path


@pytest.mark.parametrize("times", [2, 20])
def test_frames_are_translated_by_two_threads_where_they_fit(tmp_path, model: Path, monkeypatch, times):
    translator = Translator(model, device="cpu", precision="fp32")
    need = 20 * 24 * translator._bytes_per_pixel(torch.float32)
    monkeypatch.setattr(translator_module, "free_memory", lambda _: times * need)
    seen, folder = watch(monkeypatch), gif_of(tmp_path / "a", 5)
    assert translate_folder(translator, folder, tmp_path / "b").failed == []
    assert {threads for _, threads in seen} == ({1} if times == 20 else {2})
    assert len(seen) == 5
    with Image.open(folder / "a.gif") as source, Image.open(tmp_path / "b" / "a.gif") as output:
        for number in range(5):
            source.seek(number), output.seek(number)
            expected = np.asarray(translator(source.convert("RGB"))).astype(int)
            assert np.abs(np.asarray(output.convert("RGB")) - expected).mean() < 3


def test_pictures_that_do_not_fit_twice_are_translated_one_by_one(tmp_path, model: Path, monkeypatch):
    translator = Translator(model, device="cpu")
    need = 20 * 24 * translator._bytes_per_pixel(translator.dtype)
    monkeypatch.setattr(translator_module, "free_memory", lambda _: 4 * need)
    seen = watch(monkeypatch)
    assert translate_folder(translator, folder_of(tmp_path / "a", (20, 24), (20, 24)), tmp_path / "b").failed == []
    assert seen == [(threading.current_thread().name, 2)] * 2


def test_a_failure_in_a_stream_is_that_of_its_picture(tmp_path, model: Path, monkeypatch):
    translator = Translator(model, device="cpu")
    whole = Translator._translate_whole

    def fails(translator, images, dtype):
        if images.shape[2] == 16:
            raise RuntimeError("the network")
        return whole(translator, images, dtype)

    monkeypatch.setattr(Translator, "_translate_whole", fails)
    result = translate_folder(translator, folder_of(tmp_path / "a", (20, 24), (16, 16), (20, 24)), tmp_path / "b")
    assert len(result.failed) == 1
    assert "1.png could not be translated" in str(result.failed[0])
    assert len(result.done) == 2


@pytest.mark.parametrize(("pictures", "device", "count"), [(0, "cpu", 1), (1, "cpu", 1), (5, "cpu", 2), (5, "meta", 1)])
def test_there_are_as_many_streams_as_threads_or_pictures(model: Path, monkeypatch, pictures, device, count):
    translator = Translator(model, device="cpu")
    monkeypatch.setattr(translator, "device", torch.device(device))
    assert Streams(translator, pictures).count == count
