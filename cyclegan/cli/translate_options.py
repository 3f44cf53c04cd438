"""Options of `translate`, and their groups in `--help`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

FILES, MODEL_PANEL, LOOK, HARDWARE = "Input and output", "Model", "Look", "Hardware"

Inputs = Annotated[
    list[Path] | None,
    typer.Argument(metavar="INPUT…", help="Pictures, videos, and folders of them. - is one picture on standard input."),
]
OutputPath = Annotated[
    Path | None,
    typer.Option(
        help="A folder, a .zip archive, or a file for a single input.  [default: <input>_<domain> beside the input]",
        rich_help_panel=FILES,
        show_default=False,
    ),
]
OutputFormat = Annotated[
    Literal["jpg", "png", "webp", "tif", "bmp", "gif", "avif"] | None,
    typer.Option(
        "--format",
        help="Write pictures in this format.  [default: that of the input]",
        rich_help_panel=FILES,
        show_default=False,
    ),
]
Quality = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=100,
        help="Quality of JPEG, WebP and AVIF.  [default: that of the input, at least 90]",
        rich_help_panel=FILES,
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace existing outputs instead of skipping them.", rich_help_panel=FILES),
]
Scores = Annotated[
    bool,
    typer.Option(
        "--scores",
        help="Write scores.csv: how real each output looks, and how well its source can be restored from it.",
        rich_help_panel=FILES,
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Translate new files in the folders until interrupted.", rich_help_panel=FILES),
]
MaxPixels = Annotated[int, typer.Option(min=1, help="Refuse pictures with more pixels.", rich_help_panel=FILES)]
Model = Annotated[
    Path | None,
    typer.Option(
        help="A run's folder or name, or a model file.  [default: the newest run under checkpoints/]",
        rich_help_panel=MODEL_PANEL,
        show_default=False,
    ),
]
ListModels = Annotated[
    bool,
    typer.Option(
        "--list-models", help="List the models in the package and the runs, and end.", rich_help_panel=MODEL_PANEL
    ),
]
To = Annotated[
    str | None, typer.Option(metavar="DOMAIN", help="Translate to this domain.", rich_help_panel=MODEL_PANEL)
]
DirectionOption = Annotated[
    Literal["a2b", "b2a"] | None,
    typer.Option(
        help="The direction, instead of --to.  [default: a2b]", rich_help_panel=MODEL_PANEL, show_default=False
    ),
]
ShortSide = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65_535,
        help="Short side of the output in pixels.  [default: that of the input]",
        rich_help_panel=LOOK,
        show_default=False,
    ),
]
Strength = Annotated[
    float,
    typer.Option(min=0, max=1, help="1 is the translation; less blends it with the input.", rich_help_panel=LOOK),
]
MaskPath = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|FOLDER",
        help="Translate only a part: a picture that is white there and black elsewhere, or a folder of such pictures "
        "under the names of the inputs.",
        rich_help_panel=LOOK,
    ),
]
KeptDetail = Annotated[
    str,
    typer.Option(
        metavar="none|detail|color|auto",
        help="detail: keep the picture's own detail, and let the network change the rest at the scale of its training, "
        "or at a short side of so many pixels: detail=128. color: keep its brightness too. auto: as the model says.",
        rich_help_panel=LOOK,
    ),
]
CheckerboardOption = Annotated[
    Literal["keep", "remove", "auto"],
    typer.Option(
        help="remove: take away the fine pattern, repeating every 4 pixels, that a network leaves in smooth areas. "
        "auto: as the model says, which is remove for all that this program trained.",
        rich_help_panel=LOOK,
    ),
]
Steady = Annotated[
    float,
    typer.Option(
        min=0,
        max=0.99,
        help="Weight of the previous frame in each frame of videos and numbered pictures, against flicker.",
        rich_help_panel=LOOK,
    ),
]
EngineName = Annotated[
    Literal["local", "ray"],
    typer.Option(
        "--engine",
        help="ray uses a Ray cluster, or all processors of this machine, and reads addresses such as s3://.",
        rich_help_panel=HARDWARE,
    ),
]
PicturesAtOnce = Annotated[
    int, typer.Option(min=1, help="Pictures of one size that are translated at once.", rich_help_panel=HARDWARE)
]
Tile = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Height in pixels of the strips of large pictures.  [default: by free memory]",
        rich_help_panel=HARDWARE,
        show_default=False,
    ),
]
InferencePrecision = Annotated[
    Literal["auto", "fp32", "bf16"], typer.Option(help="Precision of the network.", rich_help_panel=HARDWARE)
]
InferenceDevice = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=HARDWARE)]
BackendOption = Annotated[
    Literal["auto", "torch", "openvino", "onnxruntime"],
    typer.Option(
        "--backend",
        help="What runs the network on a CPU. auto: OpenVINO where it is installed and there is more than one picture.",
        rich_help_panel=HARDWARE,
    ),
]
