"""Programs draw what the translator draws, at every size; those that would not are not written."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor

from cyclegan import Translator
from cyclegan.checkpoints.model_file import ModelInfo, load_model, save_model
from cyclegan.config import GeneratorConfig
from cyclegan.errors import MissingExtraError, ModelFileError
from cyclegan.export import ProgramOptions, export_program, programs
from cyclegan.export.torch_program import Program, reflected_indices
from cyclegan.inference.backends import import_openvino
from cyclegan.inference.padding import mirrored as mirrored_outside
from cyclegan.models import build_generator, load_weights, meta_module
from cyclegan.reference.pth import Weights
from tests.pages import ROOT, blocks, commands, shortened
from tests.pth_files import drawn, save_networks

pytestmark = pytest.mark.usefixtures("without_shape_checks")
SIZES = [(1, 256, 256), (3, 256, 256), (1, 255, 257), (3, 255, 257), (1, 512, 384), (3, 512, 384)]
SMALL = [(1, 1, 1), (2, 1, 40), (1, 3, 2), (3, 33, 64)]
RESNET = GeneratorConfig(width=4, blocks=1)
UNET = GeneratorConfig(architecture="unet", width=2, depth=2)


def saved(folder: Path, spec: GeneratorConfig, a: int = 3, b: int = 3) -> tuple[ModelInfo, Weights, Translator]:
    """Save a model of one generator; return what it says of itself, its weights and its translator."""
    facts = {"domain_a": "horses", "domain_b": "zebras", "channels_a": a, "channels_b": b}
    info = ModelInfo(generator=spec, size=64, steps=0, averaged=False, **facts)
    weights = drawn(build_generator(spec, a, b)).state_dict()
    save_model(folder / "m.safetensors", info, {f"a2b.{name}": tensor for name, tensor in weights.items()})
    return info, weights, Translator(folder / "m.safetensors", device="cpu", precision="fp32")


def run_by_onnx_runtime(path: Path) -> Callable[[Tensor], Tensor]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def drawn_images(batch: int, height: int, width: int, channels: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(height)
    return torch.rand(batch, channels, height, width, generator=random) * 2 - 1


def test_one_onnx_file_draws_what_the_translator_draws_at_every_size_and_batch(tmp_path):
    info, weights, translate = saved(tmp_path, GeneratorConfig(width=4, blocks=2))
    said = export_program(tmp_path / "m.onnx", weights, info, ProgramOptions())
    run = run_by_onnx_runtime(tmp_path / "m.onnx")
    differences = []
    for size in SIZES + SMALL:
        images = drawn_images(*size)
        differences.append((run(images) - translate(images)).abs().max().item())
    for height, width in ((64, 64), (255, 257)):
        flat = torch.full((1, 3, height, width), 0.37)
        differences.append((run(flat) - translate(flat)).abs().max().item())  # what norms would make noise of
    assert max(differences) <= 1e-4
    assert 0 < said <= 1e-4


def test_one_torch_program_draws_what_the_translator_draws_with_one_pixel_at_a_waist_or_more(tmp_path):
    info, weights, translate = saved(tmp_path, GeneratorConfig(architecture="unet", width=2, depth=4, norm="batch"))
    said = export_program(tmp_path / "m.pt2", weights, info, ProgramOptions(kind="program"))
    run = torch.export.load(tmp_path / "m.pt2").module()
    for size in SIZES + SMALL:
        images = drawn_images(*size)
        assert (run(images) - translate(images)).abs().max() <= 1e-5
    assert said <= 1e-5


def test_a_program_for_pictures_takes_and_gives_bytes(tmp_path):
    info, weights, translate = saved(tmp_path, GeneratorConfig(architecture="unet", width=2, depth=2))
    said = export_program(tmp_path / "m.onnx", weights, info, ProgramOptions(pictures=True))
    run = run_by_onnx_runtime(tmp_path / "m.onnx")
    for shape in ((2, 65, 50, 3), (1, 8, 8, 3)):
        pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        translated = run(torch.from_numpy(pictures)).numpy()
        assert translated.dtype == np.uint8
        exact = np.stack([translate(picture) for picture in pictures])
        assert np.abs(translated.astype(int) - exact).max() <= 1
    assert said <= 1


@pytest.mark.parametrize(
    ("kind", "spec", "channels", "said"),
    [
        ("onnx", RESNET, (1, 1), "uint8, n h w 1, grey"),
        ("program", UNET, (3, 1), "uint8, n h w 3, RGB -> uint8, n h w 1, grey"),
    ],
)
def test_a_side_of_one_channel_is_grey_bytes(tmp_path, kind, spec, channels, said):
    info, weights, translate = saved(tmp_path, spec, *channels)
    options = ProgramOptions(kind=kind, pictures=True)
    path = tmp_path / ("m.onnx" if kind == "onnx" else "m.pt2")
    export_program(path, weights, info, options)
    run = run_by_onnx_runtime(path) if kind == "onnx" else torch.export.load(path).module()
    for batch, height, width in ((2, 33, 50), (1, 8, 8), *SMALL):
        pictures = np.random.default_rng(0).integers(0, 256, (batch, height, width, channels[0]), dtype=np.uint8)
        translated = run(torch.from_numpy(pictures)).numpy()
        assert (translated.shape, translated.dtype) == ((batch, height, width, channels[1]), np.uint8)
        exact = np.stack([translate(picture) for picture in pictures])
        assert np.abs(translated.astype(int) - exact).max() <= 1
    assert programs.program_metadata(info, options)["pixels"] == said


def test_a_grey_side_has_one_channel_wherever_it_lies_in_memory(tmp_path):
    info, weights, translate = saved(tmp_path, UNET, 1, 3)
    export_program(tmp_path / "m.pt2", weights, info, ProgramOptions(kind="program"))
    run = torch.export.load(tmp_path / "m.pt2").module()
    for size in ((1, 1, 1), (1, 16, 1), (2, 33, 50)):
        images = drawn_images(*size, channels=1)
        for same in (images, images.to(memory_format=torch.channels_last), drawn_images(*size)[:, :1] * 1):
            assert (run(same) - translate(same)).abs().max() <= 1e-5
        assert run(images).shape == (size[0], 3, *size[1:])
    about = programs.program_metadata(info, ProgramOptions(direction="b2a"))
    assert about["pixels"] == "float32, n 3 h w, RGB, [-1, 1] -> float32, n 1 h w, grey, [-1, 1]"


def test_half_precision_holds_two_bytes_a_weight_and_takes_the_same_images(tmp_path, capfd):
    info, weights, translate = saved(tmp_path, RESNET)
    said = export_program(tmp_path / "m.onnx", weights, info, ProgramOptions(half=True))
    assert 0 < said < 0.05
    assert capfd.readouterr() == ("", "")
    held = onnx.load(tmp_path / "m.onnx").graph.initializer
    halves = sum(len(weight.raw_data) for weight in held if weight.data_type == onnx.TensorProto.FLOAT16)
    assert halves >= 2 * sum(tensor.numel() for tensor in weights.values() if tensor.ndim == 4)
    assert not any(weight.data_type == onnx.TensorProto.FLOAT and len(weight.raw_data) > 64 for weight in held)
    images = drawn_images(2, 63, 66)
    assert (run_by_onnx_runtime(tmp_path / "m.onnx")(images) - translate(images)).abs().max() < 0.05


def test_the_page_s_lines_run_and_its_programs_describe_themselves(tmp_path, folders, command, monkeypatch):
    page = "docs/using-models-elsewhere.md"
    save_networks(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.effect_mandelbrot((45, 32), (-2, -1, 1, 1), 50).convert("RGB").save(tmp_path / "photo.jpg")
    Image.open(tmp_path / "photo.jpg").save(tmp_path / "photos" / "1.png")
    for line in commands(page):
        result = command(*shortened(line).split()[1:])
        assert result.returncode == 0, (line, result.stderr)
        assert result.stdout
        assert line.startswith("cyclegan train") or all(
            message.startswith(("Model: ", "cyclegan: pictures with a short side"))
            for message in result.stderr.splitlines()
        )
    before, after = (load_model(tmp_path / f"{name}.safetensors")[1] for name in ("horse2zebra", "again"))
    assert before.keys() == after.keys()
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        assert "cyclegan" not in block
        exec(compile(block, page, "exec"), {})
    drawn = [
        np.asarray(Image.open(tmp_path / name)).astype(int)
        for name in ("photo_zebra.png", "photo_openvino.png", "translated.png")
    ]
    with Image.open(tmp_path / "photo.jpg") as photo:
        exact = np.asarray(Translator(tmp_path / "horse2zebra.safetensors", device="cpu", precision="fp32")(photo))
    assert all(np.abs(translated - exact).max() <= 1 for translated in drawn)
    assert_programs_describe_themselves(tmp_path / "horse2zebra.onnx", tmp_path / "horse2zebra.pt2")


def assert_programs_describe_themselves(onnx_program: Path, torch_program: Path) -> None:
    """Assert that programs say what they are, and name no file of this machine."""
    model, extra = onnx.load(onnx_program), {"about.json": ""}
    onnx.checker.check_model(model, full_check=True)
    said = {entry.key: entry.value for entry in model.metadata_props}
    torch.export.load(torch_program, extra_files=extra)
    for about in (said, json.loads(extra["about.json"])):
        assert (about["direction"], about["from"], about["to"], about["size"]) == ("a2b", "horse", "zebra", "256")
    assert said["pixels"] == "uint8, n h w 3, RGB"
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dimensions] == ["batch", "height", "width", 3]
    assert str(ROOT).encode() not in onnx_program.read_bytes()
    with zipfile.ZipFile(torch_program) as archive:
        assert not any(str(ROOT).encode() in archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize("spec", [RESNET, UNET, GeneratorConfig(architecture="unet", width=2, depth=3, norm="batch")])
@pytest.mark.parametrize("half", [False, True])
def test_an_openvino_program_draws_what_the_translator_draws_at_every_size(tmp_path, spec, half):
    info, weights, translate = saved(tmp_path, spec)
    options = ProgramOptions(kind="openvino", half=half)
    said = export_program(tmp_path / "m.xml", weights, info, options)
    model = import_openvino().Core().compile_model(tmp_path / "m.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for size in ((1, 64, 64), (2, 45, 70), *SMALL):
        images = drawn_images(*size)
        apart = (torch.from_numpy(model(images.numpy())[0]) - translate(images)).abs().max()
        assert apart <= options.tolerance
    assert said <= options.tolerance
    held = (tmp_path / "m.bin").stat().st_size
    assert (held < 3 * sum(weight.numel() for weight in weights.values())) == half  # two bytes a weight, or four
    assert 'direction value="a2b"' in (tmp_path / "m.xml").read_text()


def test_a_program_that_draws_something_else_is_not_written(tmp_path, monkeypatch):
    info, weights, _ = saved(tmp_path, RESNET)
    for wrong in (0.01, torch.nan):
        monkeypatch.setattr(
            programs, "build_program", lambda *_, wrong=wrong: ([b""], lambda x: torch.full_like(x, wrong))
        )
        with pytest.raises(ModelFileError, match=r"differs from PyTorch by .*, and was not written"):
            export_program(tmp_path / "m.pt2", weights, info, ProgramOptions(kind="program"))
    assert not (tmp_path / "m.pt2").exists()


@pytest.mark.parametrize(
    ("module", "kind", "extra"),
    [("onnxruntime", "onnx", "export"), ("onnx", "onnx", "export"), ("openvino", "openvino", "openvino")],
)
def test_a_library_that_is_missing_is_a_sentence(tmp_path, monkeypatch, module, kind, extra):
    info, weights, _ = saved(tmp_path, RESNET)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"this needs {module}") as error:
        export_program(tmp_path / "m.xml", weights, info, ProgramOptions(kind=kind))
    assert f".[{extra}]" in error.value.hint


def test_weights_that_are_not_those_of_the_network_are_a_sentence(tmp_path):
    with pytest.raises(ModelFileError, match="does not hold the networks that it describes"):
        export_program(tmp_path / "m.pt2", {}, saved(tmp_path, RESNET)[0], ProgramOptions())


def test_borders_are_mirrored_as_the_translator_mirrors_them():
    for stride, smallest in ((4, 8), (32, 32), (256, 256)):
        for length in range(1, 70):
            places = reflected_indices(length, stride, smallest, torch.device("cpu"))
            assert len(places) % stride == 0
            assert len(places) >= smallest
            assert torch.equal(places, mirrored_outside(length, len(places)))


def test_a_program_in_pytorch_is_the_translator(tmp_path):
    info, weights, translate = saved(tmp_path, RESNET)
    generator = load_weights(meta_module(info.generator, info.channels("a2b")), weights)
    images = drawn_images(2, 21, 34)
    assert torch.equal(Program(generator)(images), translate(images))
