"""`cyclegan translate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyclegan.cli.console import Json, Quiet, complain, counting, interruptible, say, say_json
from cyclegan.errors import printable

if TYPE_CHECKING:
    from cyclegan.translation import Outcome


def translate(
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT…", help="Pictures, and folders of them.")],
    model: Annotated[
        Path | None,
        typer.Option(
            help="A run's folder or name, or a model file.  [default: the newest run under checkpoints/]",
            show_default=False,
        ),
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DOMAIN", help="Redraw as this domain.")] = None,
    direction: Annotated[Literal["a2b", "b2a"] | None, typer.Option(help="Or say it so.  [default: a2b]")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where to write.  [default: beside the input, <input>_<domain>]", show_default=False),
    ] = None,
    size: Annotated[int, typer.Option(min=0, max=65_535, help="Pixels of the short side; 0: as it came.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures of one size at a time.")] = 1,
    image_format: Annotated[
        Literal["jpg", "png", "webp", "tif", "bmp"] | None, typer.Option("--format", help="Write another format.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Redraw what is there already.")] = False,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="1: the translation; less: blended with the original.")
    ] = 1.0,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse pictures with more.")] = 178_956_970,
    precision: Annotated[Literal["auto", "fp32", "bf16"], typer.Option(help="Of the network's arithmetic.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Redraw pictures with a trained model; names, folders, formats and sizes stay as they are."""
    from PIL import Image

    from cyclegan.runs import find_model, load_model
    from cyclegan.translation import Manner, Translator, choose_direction, plan_tasks, translate_all

    Image.MAX_IMAGE_PIXELS = max_pixels  # Pillow's own limit would come first
    path = find_model(model)
    way = choose_direction(load_model(path)[0], to, direction)
    translator = Translator(path, direction=way, device=device, precision=precision)
    tasks = plan_tasks(inputs, translator.target, output=output, image_format=image_format)
    manner = Manner(size=size, strength=strength, batch_size=batch_size, overwrite=overwrite, max_pixels=max_pixels)
    with interruptible() as interrupted, counting("Redrawing", len(tasks), quiet=quiet) as advance:
        outcome = translate_all(tasks, translator, manner, on_picture=advance, interrupted=interrupted)
        stopped = interrupted()
    for error in outcome.failed:
        complain(error)
    if as_json:
        say_json(as_facts(outcome, path, translator.target))
    elif not quiet:
        say(in_words(outcome, translator.target))
    if stopped:
        raise typer.Exit(130)
    if outcome.failed:
        raise typer.Exit(1)


def as_facts(outcome: "Outcome", model: Path, domain: str) -> dict[str, Any]:
    """Return what became of a translation, for programs."""
    return {
        "model": str(model),
        "domain": domain,
        "written": [str(task.target) for task in outcome.done],
        "skipped": [str(task.target) for task in outcome.skipped],
        "failed": [str(error) for error in outcome.failed],
    }


def in_words(outcome: "Outcome", domain: str) -> str:
    """Return what became of a translation, as one line for people."""
    where = f" in {printable(outcome.done[0].target.parent)}" if outcome.done else ""
    there = f", {len(outcome.skipped)} were there already" if outcome.skipped else ""
    lost = f", {len(outcome.failed)} failed" if outcome.failed else ""
    return f"{len(outcome.done)} redrawn as {printable(domain)}{where}{there}{lost}."
