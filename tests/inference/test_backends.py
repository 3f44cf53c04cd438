"""Every backend translates as torch does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cyclegan import Translator
from cyclegan.errors import ConfigError, DeviceError, MissingExtraError
from cyclegan.inference import backends
from cyclegan.inference.backends import backend_for, choose_backend, make_backend
from cyclegan.models import ResNetGenerator
from tests.support.models import write_model

pytestmark = pytest.mark.usefixtures("without_shape_checks")

MODELS = {
    "resnet": {"blocks": 2},
    "unet": {"architecture": "unet", "depth": 4},
    "grey": {"data": {"channels_a": 1}},
}


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "m.safetensors", **MODELS[request.param])


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request) -> str:
    return request.param


def translator(model: Path, backend: str, precision: str = "fp32") -> Translator:
    return Translator(model, device="cpu", backend=backend, precision=precision)


def noise(translate: Translator, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, translate.channels[0]), dtype=np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (45, 70), (3, 90)])
def test_fp32_is_within_one_level_of_torch(model, backend, size):
    ours, exact = translator(model, backend), translator(model, "torch")
    apart = np.abs(ours(noise(ours, *size)).astype(int) - exact(noise(exact, *size)))
    assert (apart <= 1).mean() >= 0.999


@pytest.mark.parametrize("level", [0, 37, 255])
def test_a_flat_picture_is_within_one_level_of_torch(model, backend, level):
    ours, exact = translator(model, backend), translator(model, "torch")
    flat = np.full((40, 40, ours.channels[0]), level, dtype=np.uint8)
    assert np.abs(ours(flat).astype(int) - exact(flat)).max() <= 1


def test_bf16_is_as_close_as_torch_in_bf16(model):
    exact = translator(model, "torch")
    pixels = noise(exact, 64, 64)
    errors = {
        name: np.abs(translator(model, name, "bf16")(pixels).astype(int) - exact(pixels)).mean()
        for name in ("torch", "openvino")
    }
    assert errors["openvino"] <= 1.2 * errors["torch"] + 0.05


def test_batches_of_any_layout_equal_single_images(model, backend):
    translate = translator(model, backend)
    batch = torch.rand(3, translate.channels[0], 24, 36).mul(2).sub(1).to(memory_format=torch.channels_last)
    single = torch.cat([translate(image[None]) for image in batch])
    assert torch.allclose(translate(batch), single, atol=1e-4)


def test_large_pictures_fall_back_to_strips(backend, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    pixels = noise(translator(model, backend), 80, 80)
    strips = Translator(model, device="cpu", backend=backend, precision="fp32", tile=32)(pixels)
    assert np.abs(strips.astype(int) - translator(model, "torch")(pixels)).max() <= 1


def test_a_generator_with_batch_norms_equals_torch(backend):
    generator = ResNetGenerator(width=4, blocks=1, norm="batch", dropout=True).eval().requires_grad_(False)
    for name, values in generator.named_buffers():
        if name.endswith(("mean", "var")):
            values.uniform_(0.5, 2)
    images = torch.rand(2, 3, 16, 24)
    compiled = make_backend(backend, lambda _: generator, torch.device("cpu"), torch.float32)
    assert torch.allclose(compiled(images), generator(images), atol=1e-5)


def test_auto_is_openvino_on_a_cpu_that_has_it(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: name)
    assert choose_backend("auto", torch.device("cpu")) == "openvino"
    assert choose_backend("auto", torch.device("cuda")) == "torch"
    monkeypatch.setattr(backends, "find_spec", lambda name: None if name == "openvino" else name)
    assert choose_backend("auto", torch.device("cpu")) == "torch"


def test_a_backend_that_cannot_compute_this_is_an_error(backend, monkeypatch):
    with pytest.raises(DeviceError, match="computes on the CPU"):
        choose_backend(backend, torch.device("cuda"))
    with pytest.raises(ConfigError, match="fp32"):
        choose_backend("onnxruntime", torch.device("cpu"), "bf16")
    with pytest.raises(ValueError, match="tflite"):
        choose_backend("tflite", torch.device("cpu"))
    monkeypatch.setitem(sys.modules, backend, None)
    with pytest.raises(MissingExtraError) as caught:
        choose_backend(backend, torch.device("cpu"))
    assert f".[{backend}]" in caught.value.hint


REPORTS_SOCKETS = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.exit("it asks for the network"))
from cyclegan.inference.backends import import_openvino
import_openvino().Core()
"""


def test_openvino_reports_nothing_to_its_maker(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", REPORTS_SOCKETS], env=environment, check=True)
    assert not list(tmp_path.iterdir())


def test_a_single_picture_does_not_wait_for_a_compilation():
    assert backend_for("auto", pictures=1) == "torch"
    assert backend_for("auto", pictures=2) == "auto"
    assert backend_for("openvino", pictures=1) == "openvino"
