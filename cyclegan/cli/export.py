"""`cyclegan export`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cyclegan.cli.console import Json, Quiet, say, say_json, tell
from cyclegan.errors import ConfigError, printable

Format = Literal["cyclegan", "reference", "onnx", "program"]
FORMAT_OF: dict[str, Format] = {".safetensors": "cyclegan", ".onnx": "onnx", ".pt2": "program"}
SUFFIXES = "Let it end in .safetensors, .onnx or .pt2"


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder or name, or a model file.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="What to write; with --format reference, a folder.")],
    output_format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="cyclegan: a model file; reference: .pth files for the authors' code; "
            "onnx; program: for torch.export.load.  [default: by FILE's suffix, else cyclegan]",
            show_default=False,
        ),
    ] = None,
    direction: Annotated[
        Literal["a2b", "b2a"] | None,
        typer.Option(help="Of an onnx or program.  [default: a2b]", show_default=False),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="An onnx or program that takes and gives bytes, n h w c.")
    ] = False,
    half: Annotated[
        bool,
        typer.Option("--half", help="In float16: what an onnx or program computes; a model file, of generators alone."),
    ] = False,
    unaveraged: Annotated[
        bool, typer.Option("--unaveraged", help="The generators as they were at the last step, not their averages.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists already.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a model as a file of its own, as the authors' .pth files, or as a program that runs without cyclegan."""
    from cyclegan.atomic import check_new_file, refuse_to_overwrite, require_writable
    from cyclegan.checkpoints.find import find_model, find_run, model_name
    from cyclegan.checkpoints.model_file import generator_weights, load_model, save_model, weights_of
    from cyclegan.checkpoints.states import unaveraged_model
    from cyclegan.export import OPSET, Form, export_program, export_reference, halved, reference_files

    output_format = format_of(output, output_format)
    path = find_model(model)
    info, weights = unaveraged_model(find_run(model)) if unaveraged else load_model(path)
    if output_format != "reference":
        check_new_file(output, overwrite=overwrite)
    else:
        require_writable(output)
        if not overwrite:
            refuse_to_overwrite(*reference_files(output, weights, info).values())
    tell(f"Model: {printable(model_name(path))}, {info.steps:,} steps trained, from {printable(path)}", quiet=quiet)
    facts: dict[str, Any] = {"written": str(output), "format": output_format, "model": str(path), "steps": info.steps}
    remark = ""
    if output_format in ("onnx", "program"):
        way = direction or ("a2b" if weights_of("a2b", weights) else "b2a")
        form = Form(kind=output_format, direction=way, pictures=pictures, half=half)
        difference = export_program(output, generator_weights(path, weights, way), info, form)
        facts |= {"direction": way, "largest_difference": difference}
        opset = f"opset {OPSET}; " if output_format == "onnx" else ""
        remark = f" ({opset}largest difference to PyTorch {difference:.2g}{' of 255 levels' * pictures})"
    elif direction or pictures:
        raise ConfigError("--direction and --pictures are of programs.", "Add --format onnx, or leave them out.")
    elif output_format == "reference":
        if half:
            raise ConfigError("the authors' code keeps its weights in float32.", "Leave out --half.")
        facts["files"] = [str(file) for file in export_reference(output, weights, info)]
    else:
        save_model(output, *(halved(info, weights) if half else (info, weights)))
    if as_json:
        say_json(facts)
    elif not quiet:
        say(f"Written: {printable(output)}{remark}")


def format_of(output: Path, wanted: Format | None) -> Format:
    """Return the format to write: the one that is wanted, or the suffix's; an error where the two contradict."""
    from cyclegan.atomic import file_suffix

    suffix, name = file_suffix(output), printable(output)
    if wanted == "reference" and suffix in (".pth", *FORMAT_OF):
        raise ConfigError(f"{name} is named like a file, and --format reference writes a folder.", "Name a folder.")
    if suffix == ".pth" and wanted is None:
        raise ConfigError(
            f"{name} is one file, and the authors' code has a .pth file for each network.",
            "Name a folder, with --format reference.",
        )
    by_suffix = FORMAT_OF.get(suffix)
    weights_alone = suffix == ".pth" or (suffix == ".pt" and wanted != "program")
    if wanted not in (None, "reference") and (weights_alone or by_suffix not in (None, wanted)):
        raise ConfigError(f"{name} and --format {wanted} contradict each other.", f"{SUFFIXES}, or leave out --format.")
    if suffix and not (wanted or by_suffix):
        raise ConfigError(f"{name} does not say which format it is to have.", f"{SUFFIXES}, or add --format.")
    return wanted or by_suffix or "cyclegan"
