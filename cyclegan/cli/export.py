"""`cyclegan export`."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

import typer

from cyclegan.cli.console import Console, Json, Quiet
from cyclegan.cli.models import step_facts
from cyclegan.directions import DIRECTIONS, DirectionName
from cyclegan.errors import UsageError
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo, Tensors

Format = Literal["cyclegan", "reference", "onnx", "openvino", "program", "web"]
SUFFIX_FORMATS: dict[str, Format] = {
    ".safetensors": "cyclegan",
    ".onnx": "onnx",
    ".xml": "openvino",
    ".pt2": "program",
}
SUFFIX_HINT = "Let it end in .safetensors, .onnx, .xml or .pt2"
FOLDER_FORMATS = ("reference", "web")
ProgramKind = Literal["onnx", "openvino", "program"]
PROGRAM_FORMATS = get_args(ProgramKind)


ExportedModel = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder or name, or a model file.")]
ExportPath = Annotated[
    Path, typer.Option(metavar="FILE", help="The file to write; with --format reference or web, a folder.")
]
ExportFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="cyclegan: a model file; reference: .pth files for the authors' code; "
        "onnx; openvino: an .xml and a .bin; program: for torch.export.load; web: a page that translates in the "
        "visitor's browser, for which npm brings ONNX Runtime.  [default: by FILE's suffix, else cyclegan]",
        show_default=False,
    ),
]
ProgramDirection = Annotated[
    DirectionName | None,
    typer.Option(help="The generator of a program.  [default: a2b; of a page: both]", show_default=False),
]
BytesInAndOut = Annotated[bool, typer.Option("--pictures", help="Input and output of a program are bytes, n h w c.")]
HalfPrecision = Annotated[
    bool,
    typer.Option(
        "--half",
        help="Compute a program in float16 (openvino: store its weights so); "
        "write a model file of the generators alone in float16.",
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
    more_facts, details = request.write(path, name, info, weights)
    facts = {"written": str(output), "format": request.output_format, "model": str(path), **step_facts(info)}
    console.result(facts | more_facts, f"Written: {printable(output)}{details}")


@dataclass(frozen=True)
class Request:
    """The arguments of the command that decide what is written."""

    output: Path
    output_format: Format
    direction: DirectionName | None
    pictures: bool
    half: bool
    keep: str | None

    def refuse_combinations(self) -> None:
        """Raise an error for options that do not belong to the format."""
        if self.direction and self.output_format not in (*PROGRAM_FORMATS, "web"):
            raise UsageError("--direction is an option of programs.", "Add --format onnx, or leave it out.")
        if self.pictures and self.output_format not in PROGRAM_FORMATS:
            raise UsageError("--pictures is an option of programs.", "Add --format onnx, or leave it out.")
        if self.half and self.output_format in FOLDER_FORMATS:
            who = "the authors' code keeps" if self.output_format == "reference" else "the page's programs keep"
            raise UsageError(f"{who} weights in float32.", "Leave out --half.")
        if self.keep and self.output_format != "cyclegan":
            raise UsageError("--keep is written into model files of cyclegan alone.", "Leave it out.")

    def files(self, info: "ModelInfo", weights: "Tensors") -> list[Path]:
        """Return the files that are written."""
        from cyclegan.export import program_files, reference_files, web_files

        if self.output_format == "reference":
            return list(reference_files(self.output, weights, info).values())
        if self.output_format == "web":
            return web_files(self.output, self.directions(weights))
        return program_files(self.output, self.output_format)

    def check_files(self, info: "ModelInfo", weights: "Tensors", *, overwrite: bool) -> None:
        """Raise an error if the output cannot be written, or exists and must not be replaced."""
        from cyclegan.atomic import check_new_file, refuse_to_overwrite, require_writable

        files = self.files(info, weights)
        if self.output_format not in FOLDER_FORMATS:
            for file in files:
                check_new_file(file, overwrite=overwrite)
            return
        require_writable(self.output)
        if not overwrite:
            refuse_to_overwrite(*files)

    def directions(self, weights: "Tensors") -> list[DirectionName]:
        """Return the directions to write: the one asked for, or those that the model has; never none."""
        from cyclegan.checkpoints.model_file import weights_of

        present = [direction for direction, *_ in DIRECTIONS if weights_of(direction, weights)]
        return [self.direction] if self.direction else present or ["a2b"]  # whose weights are then found missing

    def write(self, path: Path, name: str, info: "ModelInfo", weights: "Tensors") -> tuple[dict[str, Any], str]:
        """Write the model of that path and name; return facts about the output, and details for people."""
        from cyclegan.checkpoints.model_file import save_model
        from cyclegan.config.keep import parse_keep
        from cyclegan.export import export_reference, half_precision_model

        if self.output_format in PROGRAM_FORMATS:
            return self.write_program(path, info, weights)
        if self.output_format == "web":
            return self.write_web_page(path, name, info, weights)
        if self.output_format == "reference":
            return {"files": [str(file) for file in export_reference(self.output, weights, info)]}, ""
        info = replace(info, keep=str(parse_keep(self.keep))) if self.keep else info
        save_model(self.output, *(half_precision_model(info, weights) if self.half else (info, weights)))
        return {"keep": info.keep}, ""

    def write_program(self, path: Path, info: "ModelInfo", weights: "Tensors") -> tuple[dict[str, Any], str]:
        """Write one generator as a program."""
        from cyclegan.checkpoints.model_file import generator_weights
        from cyclegan.export import ProgramOptions, export_program
        from cyclegan.inference.onnx_graph import OPSET

        direction, kind = self.directions(weights)[0], cast(ProgramKind, self.output_format)
        options = ProgramOptions(kind=kind, direction=direction, pictures=self.pictures, half=self.half)
        difference = export_program(self.output, generator_weights(path, weights, direction), info, options)
        opset = f"opset {OPSET}; " if kind == "onnx" else ""
        unit = " of 255 pixel values" * self.pictures
        details = f" ({opset}largest difference to PyTorch {difference:.2g}{unit})"
        return {"direction": direction, "largest_difference": difference}, details

    def write_web_page(
        self, path: Path, name: str, info: "ModelInfo", weights: "Tensors"
    ) -> tuple[dict[str, Any], str]:
        """Write a web page of one generator or both."""
        from cyclegan.checkpoints.model_file import generator_weights
        from cyclegan.export import export_web_page

        directions = {direction: generator_weights(path, weights, direction) for direction in self.directions(weights)}
        difference = export_web_page(self.output, name, info, directions)
        details = f" (largest difference to PyTorch {difference:.2g} of 255 pixel values)\nTry it: {self.try_command()}"
        return {"directions": list(directions), "largest_difference": difference}, details

    def try_command(self) -> str:
        """Return the command that serves the page on this machine."""
        return f"python -m http.server --bind 127.0.0.1 --directory {shlex.quote(printable(self.output))}"


def format_of(output: Path, asked: Format | None) -> Format:
    """Return the format asked for, or the suffix's; a contradiction of the two is an error."""
    from cyclegan.atomic import file_suffix

    suffix, name = file_suffix(output), printable(output)
    if asked in FOLDER_FORMATS and suffix in (".pth", *SUFFIX_FORMATS):
        raise UsageError(f"{name} is named like a file, and --format {asked} writes a folder.", "Name a folder.")
    if asked == "openvino" and suffix != ".xml":
        raise UsageError(f"{name} does not end in .xml, as programs of OpenVINO do.", "Add .xml to its name.")
    if suffix == ".pth" and asked is None:
        raise UsageError(
            f"{name} is one file, and the authors' code has a .pth file for each network.",
            "Name a folder, with --format reference.",
        )
    by_suffix = SUFFIX_FORMATS.get(suffix)
    weights_alone = suffix == ".pth" or (suffix == ".pt" and asked != "program")
    if asked not in (None, *FOLDER_FORMATS) and (weights_alone or by_suffix not in (None, asked)):
        raise UsageError(
            f"{name} and --format {asked} contradict each other.", f"{SUFFIX_HINT}, or leave out --format."
        )
    if suffix and not (asked or by_suffix):
        raise UsageError(f"the suffix of {name} names no format.", f"{SUFFIX_HINT}, or add --format.")
    return asked or by_suffix or "cyclegan"
