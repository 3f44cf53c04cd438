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
from cyclegan.checkpoints.model_file import Direction, ModelInfo, weights_of
from cyclegan.errors import ModelFileError, require_extra
from cyclegan.models import Generator, load_weights, meta_module
from cyclegan.models.layers import EPSILON, replace_instance_norms
from cyclegan.reference.pth import OURS, Weights, to_reference

Run = Callable[[Tensor], Tensor]

OPSET = 20
LONGEST_CHECKED = 256  # pixels; larger pictures would only take longer


@dataclass(frozen=True, kw_only=True)
class Form:
    """What kind of program it is, and how it takes, computes and gives images."""

    kind: Literal["onnx", "program"] = "onnx"
    direction: Direction = "a2b"
    pictures: bool = False  # bytes, n h w c, instead of float32, n c h w in [-1, 1]; c is 3, or 1 of a grey domain
    half: bool = False  # computes in float16; takes and gives what it otherwise would

    @property
    def tolerance(self) -> float:
        """The largest difference to PyTorch in float32 that is no mistake; of bytes, in levels of 255."""
        of_images = 0.1 if self.half else 1e-3
        return 1 + of_images * 127.5 if self.pictures else of_images  # rounding may cost a level


class Program(nn.Module):
    """A generator as others run it: for images of any height and width, mirrored at their borders where needed."""

    def __init__(self, generator: Generator, form: Form) -> None:
        super().__init__()
        self.pictures = form.pictures
        self.dtype = torch.float16 if form.half else torch.float32
        self.generator = generator.to(self.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Redraw images, n c h w in [-1, 1], or pictures, n h w c in bytes."""
        if not self.pictures:
            return self.redraw(images)
        redrawn = self.redraw(images.permute(0, 3, 1, 2).float() / 127.5 - 1)
        return ((redrawn + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def redraw(self, images: Tensor) -> Tensor:
        """Redraw images; by gathering, not slicing, which would tie a program to how its example lay in memory."""
        height, width = images.shape[2:]
        stride, smallest = self.generator.stride, self.generator.min_size
        rows, columns = (mirrored(side, stride, smallest, images.device) for side in (height, width))
        extended = images.to(self.dtype).index_select(2, rows).index_select(3, columns)
        redrawn: Tensor = self.generator(extended).float()
        top, left = (torch.arange(side, device=images.device) for side in (height, width))
        return redrawn.index_select(2, top).index_select(3, left)


class CenteredNorm(nn.Module):
    """The instance norm by plain arithmetic, in float32, its mean taken twice so that a flat image is left with none.

    ONNX Runtime's own leaves a flat channel at the rounding of its mean, and each norm makes that 300 times larger.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (n c h w) normalised over h and w."""
        centered = x.float()
        for _ in range(2):
            centered = centered - centered.mean((2, 3), keepdim=True)
        return (centered * torch.rsqrt(centered.square().mean((2, 3), keepdim=True) + EPSILON)).to(x.dtype)


def mirrored(length: int, stride: int, smallest: int, device: torch.device) -> Tensor:
    """Return the places 0 … length-1, then back and forth, until they divide by `stride` and are at least `smallest`.

    These are the numbers of `translation.padding.mirrored`, by arithmetic that can be traced for every length.
    """
    longer = torch.sym_max((length + stride - 1) // stride * stride, smallest)
    places = torch.arange(longer, device=device)
    there_and_back = places.new_full((1,), torch.sym_max(2 * length - 2, 1))
    return (length - 1) - ((length - 1) - places.remainder(there_and_back)).abs()


def export_program(output: Path, generator: Weights, info: ModelInfo, form: Form) -> float:
    """Write one generator as an ONNX or torch.export program; return its largest difference to PyTorch (`checked`)."""
    channels = info.channels(form.direction)
    network = load_weights(meta_module(info.generator, channels), generator)
    program = traced(Program(portable(network) if form.kind == "onnx" else network, form), channels[0])
    about = described(info, form)
    written, run = as_onnx(program, about, form.pictures) if form.kind == "onnx" else as_torch(program, about)
    difference = checked(run, generator, info, form)
    with atomic_write(output) as aside:
        aside.write_bytes(written)
    return difference


def reference_files(folder: Path, weights: Mapping[str, Tensor], info: ModelInfo) -> dict[str, Path]:
    """Return the file that each network of a model becomes for the reference's code, by our name of the network."""
    specs = {ours: info.discriminator if ours.startswith("disc") else info.generator for ours in OURS.values()}
    return {
        ours: folder / f"latest_net_{theirs}.pth"
        for theirs, ours in OURS.items()
        if specs[ours] and weights_of(ours, weights)
    }


def export_reference(folder: Path, weights: Mapping[str, Tensor], info: ModelInfo) -> list[Path]:
    """Write each network of a model as the reference's code loads it; return the files."""
    files = reference_files(folder, weights, info)
    for ours, path in files.items():
        spec = info.discriminator if ours.startswith("disc") else info.generator
        assert spec is not None
        network = load_weights(meta_module(spec, info.channels(ours)), weights_of(ours, weights))
        with atomic_write(path) as aside:
            torch.save(to_reference(network), aside)
    return list(files.values())


def halved(info: ModelInfo, weights: Mapping[str, Tensor]) -> tuple[ModelInfo, Weights]:
    """Return a model of which there is no more than translating needs: its generators, their weights in float16."""
    generators = {name: weight.half() for name, weight in weights.items() if name.startswith(("a2b.", "b2a."))}
    return replace(info, discriminator=None), generators


def as_onnx(program: ExportedProgram, about: Mapping[str, str], pictures: bool) -> tuple[bytes, Run]:
    """Return an ONNX program, and what runs it."""
    onnx, runtime = (require_extra(module, "export") for module in ("onnx", "onnxruntime"))
    require_extra("onnxscript", "export")  # torch asks for it
    translated: Any = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        external_data=False,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["redrawn"],
        dynamic_shapes=(dimensions(pictures),),  # for their names
    )
    proto = translated.model_proto  # a new one each time it is asked for
    onnx.helper.set_model_props(proto, about)
    written: bytes = proto.SerializeToString()
    session = runtime.InferenceSession(written, providers=["CPUExecutionProvider"])
    return written, lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def as_torch(program: ExportedProgram, about: Mapping[str, str]) -> tuple[bytes, Run]:
    """Return a torch.export program, and what runs it."""
    written = io.BytesIO()
    torch.export.save(program, written, extra_files={"about.json": json.dumps(about)})
    return written.getvalue(), torch.export.load(io.BytesIO(written.getvalue())).module()


def portable(network: Generator) -> Generator:
    """Replace the instance norms by ones that other runtimes compute as well as PyTorch."""
    replace_instance_norms(network, CenteredNorm)
    return network


def traced(program: Program, channels: int) -> ExportedProgram:
    """Trace a program that takes so many channels for every batch, height and width."""
    side = program.generator.min_size
    example = noise((2, channels, side + 1, side + 2), program.pictures)  # any size would do
    at_one_pixel_too = symbolic_shapes.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with at_one_pixel_too:  # else a program that was traced with more at a U-Net's waist refuses one
        exported = torch.export.export(program, (example,), dynamic_shapes=(dimensions(program.pictures),))
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names files of this machine
    return exported


def dimensions(pictures: bool) -> list[Any]:
    """Return the dimensions of what a program takes."""
    batch, height, width = (Dim(name, min=1) for name in ("batch", "height", "width"))
    return [batch, height, width, Dim.STATIC] if pictures else [batch, Dim.STATIC, height, width]


def checked(run: Run, generator: Weights, info: ModelInfo, form: Form) -> float:
    """Return a program's largest difference to PyTorch in float32, in levels of 255 if it takes pictures.

    One that is too large to be rounding is an error.
    """
    channels = info.channels(form.direction)
    exact = Program(load_weights(meta_module(info.generator, channels), generator), Form(pictures=form.pictures))
    side = min(info.size, LONGEST_CHECKED)
    differences = []
    for batch, height, width in ((1, side, side), (2, side - 1, side + 1)):
        images = noise((batch, channels[0], height, width), form.pictures)
        differences.append((run(images).float() - exact(images).float()).abs().max())
    worst = torch.stack(differences).max().item()  # unlike Python's own, it does not pass over nan
    if not worst <= form.tolerance:
        raise ModelFileError(
            f"the program differs from PyTorch by {worst:.2g}, more than {form.tolerance:.2g}, and was not written.",
            "Please report it; another --format, or leaving out --half, may help.",
        )
    return worst


def noise(shape: tuple[int, int, int, int], pictures: bool) -> Tensor:
    """Return images (n c h w) of noise, or as many pictures (n h w c), always the same."""
    batch, channels, height, width = shape
    random = torch.Generator().manual_seed(0)
    levels = torch.randint(256, (batch, height, width, channels), dtype=torch.uint8, generator=random)
    return levels if pictures else levels.permute(0, 3, 1, 2).float() / 127.5 - 1


def described(info: ModelInfo, form: Form) -> dict[str, str]:
    """Return what a program says of itself."""
    source, target = info.domains(form.direction)
    sides = [pixels(channels, form.pictures) for channels in info.channels(form.direction)]
    return {
        "kind": "cyclegan program",
        "direction": form.direction,
        "from": source,
        "to": target,
        "pixels": " -> ".join(dict.fromkeys(sides)),  # once, where both sides are alike
        "precision": "float16" if form.half else "float32",
        "size": str(info.size),
        "version": info.version,
    }


def pixels(channels: int, pictures: bool) -> str:
    """Return how images or pictures lie in memory."""
    colours = "grey" if channels == 1 else "RGB"
    return f"uint8, n h w {channels}, {colours}" if pictures else f"float32, n {channels} h w, {colours}, [-1, 1]"
