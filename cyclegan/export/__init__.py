"""A model's networks for use elsewhere: ONNX and torch.export programs, and the reference's `.pth` files.

A program is run as its users will run it, and compared with PyTorch, before its file gets its name.
"""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config as symbolic_shapes

from cyclegan.atomic import atomic_write
from cyclegan.checkpoints.model_file import ModelInfo, weights_of
from cyclegan.directions import DirectionName
from cyclegan.errors import ModelFileError, require_extra
from cyclegan.inference.onnx_graph import OPSET
from cyclegan.models import Generator, load_weights, meta_module
from cyclegan.models.layers import EPSILON, replace_instance_norms
from cyclegan.reference.pth import NETWORK_NAMES, Weights, to_reference

RunProgram = Callable[[Tensor], Tensor]

MAX_COMPARED_SIZE = 256  # pixels, of the pictures that PyTorch and a program both translate


@dataclass(frozen=True, kw_only=True)
class ProgramOptions:
    """The kind of a program, and the types of its input, arithmetic and output."""

    kind: Literal["onnx", "program"] = "onnx"
    direction: DirectionName = "a2b"
    pictures: bool = False  # uint8, n h w c, instead of float32, n c h w in [-1, 1]; c is 3, or 1 for a grey domain
    half: bool = False  # computes in float16; input and output are unchanged

    @property
    def tolerance(self) -> float:
        """The largest allowed difference to PyTorch in float32; for uint8, in pixel values."""
        of_images = 0.1 if self.half else 1e-3
        return 1 + of_images * 127.5 if self.pictures else of_images  # rounding may cost a pixel value


class Program(nn.Module):
    """A generator for images of any height and width, with reflection padding where needed."""

    def __init__(self, generator: Generator, options: ProgramOptions) -> None:
        super().__init__()
        self.pictures = options.pictures
        self.dtype = torch.float16 if options.half else torch.float32
        self.generator = generator.to(self.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Translate images, n c h w in [-1, 1], or pictures, n h w c in uint8."""
        if not self.pictures:
            return self.translate(images)
        translated = self.translate(images.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return ((translated + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def translate(self, images: Tensor) -> Tensor:
        """Translate images.

        Padding and cropping gather indices: slices would tie a traced program to the memory format of its example.
        """
        height, width = images.shape[2:]
        stride, smallest = self.generator.stride, self.generator.min_size
        rows, columns = (reflected_indices(side, stride, smallest, images.device) for side in (height, width))
        extended = images.to(self.dtype).index_select(2, rows).index_select(3, columns)
        translated: Tensor = self.generator(extended).float()
        top, left = (torch.arange(side, device=images.device) for side in (height, width))
        return translated.index_select(2, top).index_select(3, left)


class CenteredNorm(nn.Module):
    """The instance norm by plain arithmetic, in float32; the mean is subtracted twice, so that a flat image becomes 0.

    ONNX Runtime's own norm leaves the mean's rounding error in a flat channel, and each norm amplifies it 300 times.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        centered = x.float()
        for _ in range(2):
            centered = centered - centered.mean((2, 3), keepdim=True)
        return (centered * torch.rsqrt(centered.square().mean((2, 3), keepdim=True) + EPSILON)).to(x.dtype)


def reflected_indices(length: int, stride: int, smallest: int, device: torch.device) -> Tensor:
    """Return the indices 0 … length-1, continued by reflection to a multiple of `stride` that is at least `smallest`.

    They equal those of `inference.padding`, by arithmetic that can be traced for every length.
    """
    padded_length = torch.sym_max((length + stride - 1) // stride * stride, smallest)
    indices = torch.arange(padded_length, device=device)
    period = indices.new_full((1,), torch.sym_max(2 * length - 2, 1))
    return (length - 1) - ((length - 1) - indices.remainder(period)).abs()


def export_program(output: Path, generator: Weights, info: ModelInfo, options: ProgramOptions) -> float:
    """Write one generator as an ONNX or torch.export program; return its largest difference to PyTorch."""
    channels = info.channels(options.direction)
    network = load_weights(meta_module(info.generator, channels), generator)
    program = trace(Program(with_portable_norms(network) if options.kind == "onnx" else network, options), channels[0])
    metadata = program_metadata(info, options)
    serialized, run = (
        as_onnx(program, metadata, options.pictures) if options.kind == "onnx" else as_torch(program, metadata)
    )
    difference = compare_with_pytorch(run, generator, info, options)
    with atomic_write(output) as aside:
        aside.write_bytes(serialized)
    return difference


def reference_files(folder: Path, weights: Mapping[str, Tensor], info: ModelInfo) -> dict[str, Path]:
    """Return the file of each network of a model in the reference's code, by our name of the network."""
    configs = {
        ours: info.discriminator if ours.startswith("disc") else info.generator for ours in NETWORK_NAMES.values()
    }
    return {
        ours: folder / f"latest_net_{theirs}.pth"
        for theirs, ours in NETWORK_NAMES.items()
        if configs[ours] and weights_of(ours, weights)
    }


def export_reference(folder: Path, weights: Mapping[str, Tensor], info: ModelInfo) -> list[Path]:
    """Write the networks of a model as files of the reference's code; return the files."""
    files = reference_files(folder, weights, info)
    for ours, path in files.items():
        config = info.discriminator if ours.startswith("disc") else info.generator
        assert config is not None
        network = load_weights(meta_module(config, info.channels(ours)), weights_of(ours, weights))
        with atomic_write(path) as aside:
            torch.save(to_reference(network), aside)
    return list(files.values())


def half_precision_model(info: ModelInfo, weights: Mapping[str, Tensor]) -> tuple[ModelInfo, Weights]:
    """Return a model of the generators alone, with weights in float16."""
    generators = {name: weight.half() for name, weight in weights.items() if name.startswith(("a2b.", "b2a."))}
    return replace(info, discriminator=None), generators


def as_onnx(program: ExportedProgram, metadata: Mapping[str, str], pictures: bool) -> tuple[bytes, RunProgram]:
    """Return an ONNX program, and a function that runs it."""
    onnx, runtime = (require_extra(module, "export") for module in ("onnx", "onnxruntime"))
    require_extra("onnxscript", "export")  # used by torch
    exported: Any = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        external_data=False,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["translated"],
        dynamic_shapes=(dimensions(pictures),),  # for their names
    )
    proto = exported.model_proto  # a new one at each access
    onnx.helper.set_model_props(proto, metadata)
    serialized: bytes = proto.SerializeToString()
    session = runtime.InferenceSession(serialized, providers=["CPUExecutionProvider"])
    return serialized, lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def as_torch(program: ExportedProgram, metadata: Mapping[str, str]) -> tuple[bytes, RunProgram]:
    """Return a torch.export program, and a function that runs it."""
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"about.json": json.dumps(metadata)})
    return file.getvalue(), torch.export.load(io.BytesIO(file.getvalue())).module()


def with_portable_norms(network: Generator) -> Generator:
    """Replace the instance norms by ones that other runtimes compute as well as PyTorch."""
    replace_instance_norms(network, CenteredNorm)
    return network


def trace(program: Program, channels: int) -> ExportedProgram:
    """Trace a program for every batch, height and width."""
    side = program.generator.min_size
    example = noise((2, channels, side + 1, side + 2), program.pictures)  # of any size
    one_pixel_allowed = symbolic_shapes.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    # Without this, a program traced with more than one pixel in a U-Net's deepest layer does not accept one.
    with one_pixel_allowed:
        exported = torch.export.export(program, (example,), dynamic_shapes=(dimensions(program.pictures),))
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)  # has paths of this machine
    return exported


def dimensions(pictures: bool) -> list[Any]:
    """Return the dimensions of a program's input."""
    batch, height, width = (Dim(name, min=1) for name in ("batch", "height", "width"))
    return [batch, height, width, Dim.STATIC] if pictures else [batch, Dim.STATIC, height, width]


def compare_with_pytorch(run: RunProgram, generator: Weights, info: ModelInfo, options: ProgramOptions) -> float:
    """Return a program's largest difference to PyTorch in float32, in pixel values if its input is pictures.

    A difference above the tolerance is an error.
    """
    channels = info.channels(options.direction)
    exact = Program(
        load_weights(meta_module(info.generator, channels), generator), ProgramOptions(pictures=options.pictures)
    )
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


def noise(shape: tuple[int, int, int, int], pictures: bool) -> Tensor:
    """Return images (n c h w) or pictures (n h w c) of noise, always the same."""
    batch, channels, height, width = shape
    random = torch.Generator().manual_seed(0)
    values = torch.randint(256, (batch, height, width, channels), dtype=torch.uint8, generator=random)
    return values if pictures else values.permute(0, 3, 1, 2).float() / 127.5 - 1


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
