"""One generator as a program for other runtimes: ONNX, OpenVINO or torch.export.

A program is run as its users will run it, and compared with PyTorch, before its file gets its name.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from cyclegan.atomic import atomic_write
from cyclegan.checkpoints.model_file import ModelInfo
from cyclegan.directions import DirectionName
from cyclegan.errors import ModelFileError, require_extra
from cyclegan.export.onnx_program import onnx_program
from cyclegan.export.openvino_program import openvino_program
from cyclegan.export.torch_program import Program, noise, torch_program
from cyclegan.inference.backends import import_openvino
from cyclegan.inference.onnx_graph import INPUT
from cyclegan.models import load_weights, meta_module
from cyclegan.reference.pth import Weights

RunProgram = Callable[[Tensor], Tensor]

MAX_COMPARED_SIZE = 256  # pixels, of the pictures that PyTorch and a program both translate


@dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """The kind of a program, and the types of its input, arithmetic and output."""

    kind: Literal["onnx", "openvino", "program"] = "onnx"
    direction: DirectionName = "a2b"
    pictures: bool = False  # uint8, n h w c, instead of float32, n c h w in [-1, 1]; c is 3, or 1 for a grey domain
    half: bool = False  # computes in float16, or stores its weights so (OpenVINO); input and output are unchanged

    @property
    def tolerance(self) -> float:
        """The largest allowed difference to PyTorch in float32; for uint8, in pixel values."""
        of_images = 0.1 if self.half else 1e-3
        return 1 + of_images * 127.5 if self.pictures else of_images  # rounding may cost a pixel value


def program_files(output: Path, kind: str) -> list[Path]:
    """Return the files of a program, the one named like the output last."""
    return [output.with_suffix(".bin"), output] if kind == "openvino" else [output]


def export_program(output: Path, generator: Weights, info: ModelInfo, options: ProgramOptions) -> float:
    """Write one generator as a program; return its largest difference to PyTorch.

    That is in images of [-1, 1] or, if the program takes pictures, in pixel values. The suffix of an OpenVINO program
    must be `.xml`: a `.bin` of the same name is written beside it.
    """
    contents, run = build_program(generator, info, options)
    difference = compare_with_pytorch(run, generator, info, options)
    for path, content in zip(program_files(output, options.kind), contents, strict=True):
        with atomic_write(path) as aside:
            aside.write_bytes(content)
    return difference


def build_program(generator: Weights, info: ModelInfo, options: ProgramOptions) -> tuple[list[bytes], RunProgram]:
    """Return the contents of a program's files, and a function that runs it."""
    channels = info.channels(options.direction)
    network = load_weights(meta_module(info.generator, channels), generator)
    metadata, types = program_metadata(info, options), {"pictures": options.pictures, "half": options.half}
    if options.kind == "program":
        program = torch_program(network, channels[0], metadata, **types)
        return [program], torch.export.load(io.BytesIO(program)).module()
    if options.kind == "onnx":
        program = onnx_program(network, channels, metadata, **types)
        runtime: Any = require_extra("onnxruntime", "export")
        session = runtime.InferenceSession(program, providers=["CPUExecutionProvider"])
        return [program], lambda images: torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])
    as_onnx = onnx_program(network, channels, metadata, pictures=options.pictures)
    graph, weights = openvino_program(as_onnx, metadata, half=options.half)
    core = import_openvino().Core()
    model = core.compile_model(core.read_model(graph, weights), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [weights, graph], lambda images: torch.from_numpy(model(images.numpy())[0])


def compare_with_pytorch(run: RunProgram, generator: Weights, info: ModelInfo, options: ProgramOptions) -> float:
    """Return a program's largest difference to PyTorch in float32, in pixel values if its input is pictures.

    A difference above the tolerance is an error.
    """
    channels = info.channels(options.direction)
    exact = Program(load_weights(meta_module(info.generator, channels), generator), pictures=options.pictures)
    side = min(info.size, MAX_COMPARED_SIZE)
    differences = []
    for batch, height, width in ((1, side, side), (2, side - 1, side + 1)):
        images = noise((batch, channels[0], height, width), options.pictures)
        differences.append((run(images).float() - exact(images).float()).abs().max())
    worst = torch.stack(differences).max().item()  # torch's max keeps nan, unlike Python's
    if not worst <= options.tolerance:
        raise ModelFileError(
            f"the program differs from PyTorch by {worst:.2g}, more than {options.tolerance:.2g}, and was not written.",
            "Please report it; another --format, or leaving out --half, may help.",
        )
    return worst


def program_metadata(info: ModelInfo, options: ProgramOptions) -> dict[str, str]:
    """Return the metadata of a program."""
    source, target = info.domains(options.direction)
    layouts = [pixel_layout(channels, options.pictures) for channels in info.channels(options.direction)]
    return {
        "kind": "cyclegan program",
        "direction": options.direction,
        "from": source,
        "to": target,
        "pixels": " -> ".join(dict.fromkeys(layouts)),  # once, where input and output are alike
        "precision": "float16" if options.half else "float32",
        "size": str(info.size),
        "version": info.version,
    }


def pixel_layout(channels: int, pictures: bool) -> str:
    """Describe a batch of images or pictures."""
    colors = "grey" if channels == 1 else "RGB"
    return f"uint8, n h w {channels}, {colors}" if pictures else f"float32, n {channels} h w, {colors}, [-1, 1]"
