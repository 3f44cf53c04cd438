"""`cyclegan compare`."""

from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli import translate_options as flags
from cyclegan.cli.console import Json, Progress, Quiet, complain, counting, say, say_json, tell
from cyclegan.cli.models import model_facts
from cyclegan.errors import ConfigError, printable

EXAMPLES = (
    "cyclegan compare photos/                      all runs and the models in the package",
    "cyclegan compare zebra.jpg --to horses --output zebra_as_horse.png",
    "cyclegan compare photos/ --model evening --model night --states",
)

Photos = Annotated[list[Path], typer.Argument(metavar="PHOTO…", help="Pictures, and folders of them.")]
Models = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        help="A run's folder or name, or a model file; may be repeated.  [default: all runs under checkpoints/, and "
        "the models in the package]",
        show_default=False,
        rich_help_panel=flags.MODEL_PANEL,
    ),
]
States = Annotated[
    bool,
    typer.Option(
        "--states",
        help="Show a run's best model by validation and its newest, each in a column.",
        rich_help_panel=flags.MODEL_PANEL,
    ),
]
Output = Annotated[Path, typer.Option(metavar="FILE", help="The picture to write.", rich_help_panel=flags.FILES)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.", rich_help_panel=flags.FILES)]
Size = Annotated[
    int,
    typer.Option(min=16, max=4096, help="Short side of each picture in pixels.", rich_help_panel=flags.LOOK),
]


def compare(
    photos: Photos,
    model: Models = None,
    states: States = False,
    to: flags.To = None,
    direction: flags.Direction = None,
    output: Output = Path("comparison.png"),
    overwrite: Overwrite = False,
    size: Size = 256,
    device: flags.Device = "auto",
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw one sheet of pictures and their translations by several models."""
    from cyclegan.atomic import check_new_file
    from cyclegan.data.folders import list_pictures
    from cyclegan.images import FORMAT_OF, FORMATS, write_picture
    from cyclegan.translation import compare, compared_models

    image_format = FORMAT_OF.get(output.suffix.lower(), "")
    if image_format not in FORMATS or FORMATS[image_format].written_as:
        raise ConfigError(f"{printable(output)} does not end like a picture.", "Let it end in .png or .jpg.")
    check_new_file(output, overwrite=overwrite)
    pictures = [path for photo in photos for path in (list_pictures(photo) if photo.is_dir() else [photo])]
    models, left_out = compared_models(model or (), to=to, direction=direction, states=states)
    for name, problem in left_out.items():
        tell(f"cyclegan: {printable(name)} is left out: {problem}", quiet=quiet)
    total = len(pictures) * len(models)
    with counting("Translating", total, progress=progress, quiet=quiet) as advance:
        comparison = compare(pictures, models, size=size, device=device, on_picture=advance)
    for error in comparison.failed:
        complain(error)
    if comparison.sheet:
        write_picture(comparison.sheet, output, image_format)
    if as_json:
        say_json(
            {
                "written": str(output) if comparison.sheet else None,
                "pictures": [str(path) for path in comparison.pictures],
                "models": [model_facts(column.path, column.info, column.direction) for column in models],
                "failed": [str(error) for error in comparison.failed],
            }
        )
    elif comparison.sheet and not quiet:
        say(f"{printable(output)}: pictures by rows, {len(comparison.pictures)}; models by columns, {len(models)}.")
    if comparison.failed:
        raise typer.Exit(1)
