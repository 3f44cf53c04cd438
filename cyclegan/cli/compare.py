"""`cyclegan compare`."""

from pathlib import Path
from typing import Annotated

import typer

from cyclegan.cli import translate_options as flags
from cyclegan.cli.console import Console, Json, Progress, Quiet, complain
from cyclegan.cli.models import model_facts
from cyclegan.errors import UsageError
from cyclegan.text import printable

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
SheetPath = Annotated[Path, typer.Option(metavar="FILE", help="The picture to write.", rich_help_panel=flags.FILES)]
OverwriteSheet = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing file.", rich_help_panel=flags.FILES)
]
CellSize = Annotated[
    int,
    typer.Option(min=16, max=4096, help="Short side of each picture in pixels.", rich_help_panel=flags.LOOK),
]


def compare(
    photos: Photos,
    model: Models = None,
    states: States = False,
    to: flags.To = None,
    direction: flags.DirectionOption = None,
    output: SheetPath = Path("comparison.png"),
    overwrite: OverwriteSheet = False,
    size: CellSize = 256,
    device: flags.InferenceDevice = "auto",
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Draw one sheet of pictures translated by several models."""
    from cyclegan.atomic import check_new_file
    from cyclegan.data.folders import list_pictures
    from cyclegan.images import FORMAT_OF, FORMATS, write_picture
    from cyclegan.translation import compare_models, compared_models

    image_format = FORMAT_OF.get(output.suffix.lower(), "")
    if image_format not in FORMATS or FORMATS[image_format].written_as:
        raise UsageError(f"{printable(output)} does not end like a picture.", "Let it end in .png or .jpg.")
    check_new_file(output, overwrite=overwrite)
    pictures = [path for photo in photos for path in (list_pictures(photo) if photo.is_dir() else [photo])]
    if output.exists() and any(path.exists() and output.samefile(path) for path in pictures):
        raise UsageError("would be written over a photograph.", "Choose another --output.", output)
    models, left_out = compared_models(model or (), to=to, direction=direction, states=states)
    console = Console(progress, quiet, as_json)
    for name, problem in left_out.items():
        console.note(f"{printable(name)} is left out: {problem}")
    with console.counting("Translating", len(pictures) * len(models)) as advance:
        comparison = compare_models(pictures, models, size=size, device=device, on_picture=advance)
    for error in comparison.failed:
        complain(error)
    if comparison.sheet:
        write_picture(comparison.sheet, output, image_format)
    facts = {
        "written": str(output) if comparison.sheet else None,
        "pictures": [str(path) for path in comparison.pictures],
        "models": [model_facts(column.path, column.info, column.direction) for column in models],
        "failed": [str(error) for error in comparison.failed],
    }
    count = len(comparison.pictures)
    drawn = f"{printable(output)}: pictures by rows, {count}; models by columns, {len(models)}."
    console.result(facts, drawn if comparison.sheet else "No picture can be read, so nothing was drawn.")
    if comparison.failed:
        raise typer.Exit(1)
