"""`cyclegan export`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyclegan.cli.console import Console, Json, Quiet
from cyclegan.cli.models import step_facts
from cyclegan.errors import UsageError
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo, Tensors

Format = Literal["cyclegan", "reference", "onnx", "program"]
SUFFIX_FORMATS: dict[str, Format] = {".safetensors": "cyclegan", ".onnx": "onnx", ".pt2": "program"}
SUFFIX_HINT = "Let it end in .safetensors, .onnx or .pt2"


ExportedModel = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder or name, or a model file.")]
ExportPath = Annotated[Path, typer.Option(metavar="FILE", help="The file to write; with --format reference, a folder.")]
ExportFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="cyclegan: a model file; reference: .pth files for the authors' code; "
        "onnx; program: for torch.export.load.  [default: by FILE's suffix, else cyclegan]",
        show_default=False,
    ),
]
ProgramDirection = Annotated[
    Literal["a2b", "b2a"] | None,
    typer.Option(help="The generator of an onnx or program.  [default: a2b]", show_default=False),
]
BytesInAndOut = Annotated[
    bool, typer.Option("--pictures", help="Input and output of an onnx or program are bytes, n h w c.")
]
HalfPrecision = Annotated[
    bool,
    typer.Option(
        "--half",
        help="Compute an onnx or program in float16; write a model file of the generators alone in float16.",
    ),
]
KeepInHeader = Annotated[
    str | None,
    typer.Option(
        metavar="none|detail|color",
        help="Write into a model file what `translate --keep auto` does, such as detail=72.  [default: as it is]",
        show_default=False,
    ),
]
Unaveraged = Annotated[
    bool, typer.Option("--unaveraged", help="Write the generators of the last step instead of their EMA.")
]
OverwriteFiles = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]


def export(
    model: ExportedModel,
    output: ExportPath,
    output_format: ExportFormat = None,
    direction: ProgramDirection = None,
    pictures: BytesInAndOut = False,
    half: HalfPrecision = False,
    keep: KeepInHeader = None,
    unaveraged: Unaveraged = False,
    overwrite: OverwriteFiles = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a model in another format.

    A model file, .pth files for the authors' code, or a program that runs without cyclegan.
    """
    from cyclegan.checkpoints.find import find_model, find_run, model_name
    from cyclegan.checkpoints.model_file import load_model
    from cyclegan.checkpoints.states import unaveraged_model

    request = Request(output, format_of(output, output_format), direction, pictures, half, keep)
    request.refuse_combinations()
    if unaveraged:
        run = find_run(model)
        name, (path, info, weights) = run.name, unaveraged_model(run)
    else:
        path = find_model(model)
        name, (info, weights) = model_name(path), load_model(path)
    request.check_files(info, weights, overwrite=overwrite)
    console = Console(quiet=quiet, as_json=as_json)
    console.tell(f"Model: {printable(name)}, {info.steps_text} trained, from {printable(path)}")
    more_facts, details = request.write(path, info, weights)
    facts = {"written": str(output), "format": request.output_format, "model": str(path), **step_facts(info)}
    console.result(facts | more_facts, f"Written: {printable(output)}{details}")


@dataclass(frozen=True)
class Request:
    """The arguments of the command that decide what is written."""

    output: Path
    output_format: Format
    direction: Literal["a2b", "b2a"] | None
    pictures: bool
    half: bool
    keep: str | None

    @property
    def is_standalone(self) -> bool:
        """Whether the output runs without cyclegan."""
        return self.output_format in ("onnx", "program")

    def refuse_combinations(self) -> None:
        """Raise an error for options that do not belong to the format."""
        if (self.direction or self.pictures) and not self.is_standalone:
            raise UsageError(
                "--direction and --pictures are options of programs.", "Add --format onnx, or leave them out."
            )
        if self.output_format == "reference" and self.half:
            raise UsageError("the authors' code keeps its weights in float32.", "Leave out --half.")
        if self.keep and self.output_format != "cyclegan":
            raise UsageError("--keep is written into model files of cyclegan alone.", "Leave it out.")

    def check_files(self, info: "ModelInfo", weights: "Tensors", *, overwrite: bool) -> None:
        """Raise an error if the output cannot be written, or exists and must not be replaced."""
        from cyclegan.atomic import check_new_file, refuse_to_overwrite, require_writable
        from cyclegan.export import reference_files

        if self.output_format != "reference":
            check_new_file(self.output, overwrite=overwrite)
        else:
            require_writable(self.output)
            if not overwrite:
                refuse_to_overwrite(*reference_files(self.output, weights, info).values())

    def write(self, path: Path, info: "ModelInfo", weights: "Tensors") -> tuple[dict[str, Any], str]:
        """Write the model; return facts about the output, and details for people."""
        from cyclegan.checkpoints.model_file import save_model
        from cyclegan.config.keep import parse_keep
        from cyclegan.export import export_reference, half_precision_model

        if self.is_standalone:
            return self.write_program(path, info, weights)
        if self.output_format == "reference":
            return {"files": [str(file) for file in export_reference(self.output, weights, info)]}, ""
        info = replace(info, keep=str(parse_keep(self.keep))) if self.keep else info
        save_model(self.output, *(half_precision_model(info, weights) if self.half else (info, weights)))
        return {"keep": info.keep}, ""

    def write_program(self, path: Path, info: "ModelInfo", weights: "Tensors") -> tuple[dict[str, Any], str]:
        """Write one generator as a program."""
        from cyclegan.checkpoints.model_file import generator_weights, weights_of
        from cyclegan.export import ProgramOptions, export_program
        from cyclegan.inference.onnx_graph import OPSET

        direction = self.direction or ("a2b" if weights_of("a2b", weights) else "b2a")
        kind: Literal["onnx", "program"] = "onnx" if self.output_format == "onnx" else "program"
        options = ProgramOptions(kind=kind, direction=direction, pictures=self.pictures, half=self.half)
        difference = export_program(self.output, generator_weights(path, weights, direction), info, options)
        opset = f"opset {OPSET}; " if kind == "onnx" else ""
        unit = " of 255 pixel values" * self.pictures
        details = f" ({opset}largest difference to PyTorch {difference:.2g}{unit})"
        return {"direction": direction, "largest_difference": difference}, details


def format_of(output: Path, asked: Format | None) -> Format:
    """Return the format asked for, or the suffix's; a contradiction of the two is an error."""
    from cyclegan.atomic import file_suffix

    suffix, name = file_suffix(output), printable(output)
    if asked == "reference" and suffix in (".pth", *SUFFIX_FORMATS):
        raise UsageError(f"{name} is named like a file, and --format reference writes a folder.", "Name a folder.")
    if suffix == ".pth" and asked is None:
        raise UsageError(
            f"{name} is one file, and the authors' code has a .pth file for each network.",
            "Name a folder, with --format reference.",
        )
    by_suffix = SUFFIX_FORMATS.get(suffix)
    weights_alone = suffix == ".pth" or (suffix == ".pt" and asked != "program")
    if asked not in (None, "reference") and (weights_alone or by_suffix not in (None, asked)):
        raise UsageError(
            f"{name} and --format {asked} contradict each other.", f"{SUFFIX_HINT}, or leave out --format."
        )
    if suffix and not (asked or by_suffix):
        raise UsageError(f"the suffix of {name} names no format.", f"{SUFFIX_HINT}, or add --format.")
    return asked or by_suffix or "cyclegan"
