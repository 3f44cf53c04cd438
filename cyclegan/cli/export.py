"""`cyclegan export`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cyclegan.cli.console import Json, Quiet, say, say_json, tell
from cyclegan.errors import ConfigError, printable

Format = Literal["cyclegan", "reference", "onnx", "program"]
SUFFIX_FORMATS: dict[str, Format] = {".safetensors": "cyclegan", ".onnx": "onnx", ".pt2": "program"}
SUFFIX_HINT = "Let it end in .safetensors, .onnx or .pt2"


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder or name, or a model file.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; with --format reference, a folder.")],
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
        typer.Option(help="The generator of an onnx or program.  [default: a2b]", show_default=False),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Input and output of an onnx or program are bytes, n h w c.")
    ] = False,
    half: Annotated[
        bool,
        typer.Option(
            "--half",
            help="Compute an onnx or program in float16; write a model file of the generators alone in float16.",
        ),
    ] = False,
    unaveraged: Annotated[
        bool, typer.Option("--unaveraged", help="Write the generators of the last step instead of their EMA.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a model as a model file, as the authors' .pth files, or as a program that runs without cyclegan."""
    from cyclegan.atomic import check_new_file, refuse_to_overwrite, require_writable
    from cyclegan.checkpoints.find import find_model, find_run, model_name
    from cyclegan.checkpoints.model_file import generator_weights, load_model, save_model, weights_of
    from cyclegan.checkpoints.states import unaveraged_model
    from cyclegan.export import (
        OPSET,
        ProgramOptions,
        export_program,
        export_reference,
        half_precision_model,
        reference_files,
    )

    output_format = format_of(output, output_format)
    if unaveraged:
        run = find_run(model)
        name, (path, info, weights) = run.name, unaveraged_model(run)
    else:
        path = find_model(model)
        name, (info, weights) = model_name(path), load_model(path)
    if output_format != "reference":
        check_new_file(output, overwrite=overwrite)
    else:
        require_writable(output)
        if not overwrite:
            refuse_to_overwrite(*reference_files(output, weights, info).values())
    tell(f"Model: {printable(name)}, {info.steps:,} steps trained, from {printable(path)}", quiet=quiet)
    facts: dict[str, Any] = {"written": str(output), "format": output_format, "model": str(path), "steps": info.steps}
    details = ""
    if output_format in ("onnx", "program"):
        direction = direction or ("a2b" if weights_of("a2b", weights) else "b2a")
        options = ProgramOptions(kind=output_format, direction=direction, pictures=pictures, half=half)
        difference = export_program(output, generator_weights(path, weights, direction), info, options)
        facts |= {"direction": direction, "largest_difference": difference}
        opset = f"opset {OPSET}; " if output_format == "onnx" else ""
        details = f" ({opset}largest difference to PyTorch {difference:.2g}{' of 255 pixel values' * pictures})"
    elif direction or pictures:
        raise ConfigError(
            "--direction and --pictures are options of programs.", "Add --format onnx, or leave them out."
        )
    elif output_format == "reference":
        if half:
            raise ConfigError("the authors' code keeps its weights in float32.", "Leave out --half.")
        facts["files"] = [str(file) for file in export_reference(output, weights, info)]
    else:
        save_model(output, *(half_precision_model(info, weights) if half else (info, weights)))
    if as_json:
        say_json(facts)
    elif not quiet:
        say(f"Written: {printable(output)}{details}")


def format_of(output: Path, asked: Format | None) -> Format:
    """Return the format asked for, or the suffix's; a contradiction of the two is an error."""
    from cyclegan.atomic import file_suffix

    suffix, name = file_suffix(output), printable(output)
    if asked == "reference" and suffix in (".pth", *SUFFIX_FORMATS):
        raise ConfigError(f"{name} is named like a file, and --format reference writes a folder.", "Name a folder.")
    if suffix == ".pth" and asked is None:
        raise ConfigError(
            f"{name} is one file, and the authors' code has a .pth file for each network.",
            "Name a folder, with --format reference.",
        )
    by_suffix = SUFFIX_FORMATS.get(suffix)
    weights_alone = suffix == ".pth" or (suffix == ".pt" and asked != "program")
    if asked not in (None, "reference") and (weights_alone or by_suffix not in (None, asked)):
        raise ConfigError(
            f"{name} and --format {asked} contradict each other.", f"{SUFFIX_HINT}, or leave out --format."
        )
    if suffix and not (asked or by_suffix):
        raise ConfigError(f"the suffix of {name} names no format.", f"{SUFFIX_HINT}, or add --format.")
    return asked or by_suffix or "cyclegan"
