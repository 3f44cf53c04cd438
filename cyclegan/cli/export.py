"""`cyclegan export`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cyclegan.cli.console import Json, Quiet, say, say_json
from cyclegan.errors import ConfigError, printable

Format = Literal["cyclegan", "reference", "onnx", "program"]


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run's folder or name, or a model file.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="What to write; with --format reference, a folder.")],
    output_format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="cyclegan: a model file; reference: .pth files for the authors' code; "
            "onnx; program: for torch.export.load.",
        ),
    ] = "cyclegan",
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
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a model as a file of its own, as the authors' .pth files, or as a program that runs without cyclegan."""
    from cyclegan.checkpoints.model_file import generator_weights, load_model, save_model, weights_of
    from cyclegan.checkpoints.runs import find_model, find_run, unaveraged_model
    from cyclegan.export import OPSET, Form, export_program, export_reference, halved

    path = find_model(model)
    info, weights = unaveraged_model(find_run(model)) if unaveraged else load_model(path)
    facts: dict[str, Any] = {"written": str(output), "format": output_format}
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
