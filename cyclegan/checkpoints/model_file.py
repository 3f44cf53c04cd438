"""Self-describing model files, and other files of tensors, as safetensors."""

import dataclasses
import errno
import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cyclegan import __version__
from cyclegan.atomic import atomic_write, is_file_name
from cyclegan.config import DiscriminatorConfig, GeneratorConfig
from cyclegan.config.keep import Keep, parse_keep
from cyclegan.directions import DirectionName, names_of
from cyclegan.errors import CycleganError, DiskError, ModelFileError
from cyclegan.text import counted, first_line, printable

Tensors = dict[str, Tensor]
FORMAT = "1"  # of model files and states; another number is another layout
WEIGHT_DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int64,
)  # int64: batch norms count their batches
FACT_TYPES = {
    "domain_a": str,
    "domain_b": str,
    "keep": str,
    "size": int,
    "steps": int,
    "averaged": bool,
    "remove_checkerboard": bool,
    "version": str,
}
TYPE_NAMES = {str: "text", int: "a whole number", bool: "true or false"}
MAX_COUNT = 2**63  # above every count of a model
EXPORT_SUFFIXES = (".onnx", ".pt2", ".xml")  # files that `cyclegan export` writes for other programs
DISK_HINT = "Check the path and the disk."
MEMORY_HINT = "Close other programs, or use another file."
REPLACE_HINT = "Use another file, or train again."


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The description in the header of a model file."""

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig | None = None  # None: the file holds none
    domain_a: str
    domain_b: str
    channels_a: Literal[1, 3] = 3  # 1: grey
    channels_b: Literal[1, 3] = 3
    size: int  # pixels, width and height of a training image
    short_side: int | None = None  # pixels, of the pictures from which training images were cut
    keep: str = "none"  # what `--keep auto` keeps
    remove_checkerboard: bool = False  # whether `--checkerboard auto` removes it
    steps: int  # of training; the more, where the generators are of different steps
    steps_a2b: int | None = None  # of this generator, and of the discriminator of its fakes; None: as `steps`
    steps_b2a: int | None = None
    averaged: bool  # whether the weights are the averaged ones
    version: str = __version__

    def domains(self, direction: DirectionName) -> tuple[str, str]:
        """Return the names of the source and the target domain of a direction."""
        return (self.domain_a, self.domain_b) if direction == "a2b" else (self.domain_b, self.domain_a)

    def steps_of(self, direction: DirectionName) -> int:
        """Return the training steps of a direction's generator."""
        own = self.steps_a2b if direction == "a2b" else self.steps_b2a
        return self.steps if own is None else own

    @property
    def steps_text(self) -> str:
        """The training steps, of each direction where they differ."""
        a2b, b2a = self.steps_of("a2b"), self.steps_of("b2a")
        return counted(a2b, "step") if a2b == b2a else f"{a2b:,} steps (a2b) and {b2a:,} (b2a)"

    def resolved_keep(self, keep: str) -> Keep:
        """Return what translations keep, with the size that the network sees; `auto` is what the header says."""
        resolved = parse_keep(self.keep if keep == "auto" else keep)
        return replace(resolved, size=resolved.size or self.short_side or self.size) if resolved.is_active else resolved

    def channels(self, network: str) -> tuple[int, ...]:
        """Return the input channels of a network and, for a generator, its output channels."""
        a, b = self.channels_a, self.channels_b
        if network in ("a2b", "b2a"):
            return (a, b) if network == "a2b" else (b, a)
        image, source = (a, b) if network == "disc_a" else (b, a)
        return (self.discriminator.input_channels(image, source) if self.discriminator else image,)


def save_model(path: Path, info: ModelInfo, weights: Mapping[str, Tensor]) -> None:
    """Write a model file; `weights` are named `a2b.…`, `b2a.…`, `disc_a.…` and `disc_b.…`, one or more of them."""
    kind = {"format": FORMAT, "kind": "cyclegan model", "pixels": "RGB, or grey where c is 1, [-1, 1], n c h w"}
    facts = {key: json.dumps(value) for key, value in dataclasses.asdict(info).items()}
    save_tensors(path, weights, kind | facts)


def load_model(path: Path) -> tuple[ModelInfo, Tensors]:
    """Read a model file; nothing in it is ever executed."""
    weights, metadata = load_tensors(path)
    info = described(path, metadata)
    for name, weight in weights.items():
        if weight.dtype not in WEIGHT_DTYPES or not weight.isfinite().all():
            raise ModelFileError(
                f"{printable(path)} cannot be used: its {printable(name)} does not hold finite numbers, as weights do.",
                "Its training was lost, or the file is damaged: use another.",
            )
    return info, weights


def load_model_info(path: Path) -> ModelInfo:
    """Read the description in a model file, without its weights."""
    with _opened(path) as file:
        return described(path, file.metadata() or {})


def networks_in(path: Path) -> set[str]:
    """Return which networks a model file holds: `a2b`, `b2a`, `disc_a` and `disc_b`, one or more of them."""
    with _opened(path) as file:
        return {name.partition(".")[0] for name in file.keys()}  # noqa: SIM118


def described(path: Path, metadata: Mapping[str, str]) -> ModelInfo:
    """Return the description in the metadata of a model file."""
    name = printable(path)
    if metadata.get("kind") != "cyclegan model":
        raise ModelFileError(f"{name} is no model of cyclegan.", "Name a run's folder or its model.safetensors.")
    if metadata.get("format") != FORMAT:
        raise ModelFileError(
            f"{name} is a model of format {printable(metadata.get('format'))}, and this version reads format {FORMAT}.",
            "Update cyclegan, or train again.",
        )
    try:
        known = {field.name for field in dataclasses.fields(ModelInfo)} & metadata.keys()
        facts = {name: json.loads(metadata[name]) for name in known}
        facts["generator"] = GeneratorConfig(**facts["generator"])
        if facts.get("discriminator") is not None:
            facts["discriminator"] = DiscriminatorConfig(**facts["discriminator"])
        info = ModelInfo(**facts)
        for fact, kind in FACT_TYPES.items():
            if type(getattr(info, fact)) is not kind:
                raise ModelFileError(f"its {fact} is not {TYPE_NAMES[kind]}")
        if not (is_file_name(info.domain_a) and is_file_name(info.domain_b)):
            raise ModelFileError("its domains have names that are paths")
        _check_numbers(info)
        return info
    except (KeyError, TypeError, ValueError, RecursionError, CycleganError) as error:
        raise ModelFileError(f"{name} describes itself in a way that makes no sense: {error}.", REPLACE_HINT) from error


def _check_numbers(info: ModelInfo) -> None:
    """Check channels, counts and what is kept; a `CycleganError` says what is wrong."""
    if any(type(count) is not int or count not in (1, 3) for count in (info.channels_a, info.channels_b)):
        raise ModelFileError("its images have neither one channel nor three")
    parse_keep(info.keep)
    if type(info.short_side) not in (int, NoneType) or not 0 < (info.short_side or 1) < MAX_COUNT:
        raise ModelFileError("its short side is no count")
    if any(type(steps) not in (int, NoneType) for steps in (info.steps_a2b, info.steps_b2a)):
        raise ModelFileError("the steps of its directions are no counts")
    steps = (info.steps, info.steps_of("a2b"), info.steps_of("b2a"))
    if not (0 < info.size < MAX_COUNT and all(0 <= count < MAX_COUNT for count in steps)):
        raise ModelFileError("its counts are beyond reason")


def weights_of(network: str, weights: Mapping[str, Tensor]) -> Tensors:
    """Return the weights of one network of a model; none, if the model does not hold it."""
    prefix = f"{network}."
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def generator_weights(path: Path, weights: Mapping[str, Tensor], direction: DirectionName) -> Tensors:
    """Return the weights of one generator; an error if the model has only the other."""
    own, other = weights_of(direction, weights), names_of(direction).inverse
    if not own and weights_of(other, weights):
        raise ModelFileError(
            f"{printable(path)} translates one way only, {other}, and {direction} was asked for.",
            f"Write --direction {other} and leave out --to, or use a model with both generators.",
        )
    return own


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors atomically."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as aside:
        aside.write_bytes(save(on_cpu, dict(metadata)))  # the library's own writing to files leaves some behind


def load_tensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Read a safetensors file and its header's metadata."""
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}  # clones, for a file that is mapped cannot be replaced on Windows


def to_import(path: Path) -> str:
    """Return the command that makes a model of a `.pth` file, or of a folder of them."""
    return f"Import it first: cyclegan import {printable(shlex.quote(str(path)))} --output model.safetensors"


def _is_pytorch_file(path: Path) -> bool:
    """Tell whether a file is what `torch.save` writes, a zip archive or a pickle, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04", b"\x80\x05"))
    except OSError:
        return False


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    is_open = False
    try:
        path.open("rb").close()  # the library takes every error of this for a missing file
        with safe_open(path, framework="pt") as file:
            is_open = True
            yield file
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no {printable(path)}.", "Check the path, or train it first.") from error
    except RuntimeError as error:  # torch's, which opens the file once more
        raise ModelFileError(f"cannot be read: {first_line(error)}.", DISK_HINT, path) from error
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):  # no fault of the file
            raise DiskError(f"cannot be read: {error.strerror}.", "Run it again.", path) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise ModelFileError(f"cannot be read: {error.strerror}.", DISK_HINT, path) from error
        if is_open:  # so its header fits its size; the library hides that memory is lacking
            raise ModelFileError(f"cannot be read: {first_line(error)}.", MEMORY_HINT, path) from error
        if path.suffix.lower() in EXPORT_SUFFIXES:
            raise ModelFileError(
                f"{printable(path)} is an exported program, which cannot be read back.",
                "Name the model that it was exported from.",
            ) from error
        if _is_pytorch_file(path):
            raise ModelFileError(
                f"{printable(path)} is a file of PyTorch, not a model of cyclegan.", to_import(path)
            ) from error
        raise ModelFileError(f"{printable(path)} is damaged or no safetensors file: {error}.", REPLACE_HINT) from error
