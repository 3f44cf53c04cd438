"""`cyclegan import`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cyclegan.cli.console import Console, Json, Quiet
from cyclegan.errors import UsageError
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="The .pth files of one model, or the folder they are in.")
    ],
    output: Annotated[Path, typer.Option(metavar="MODEL", help="The model file to write.")],
    domain_a: Annotated[str, typer.Option(metavar="NAME", help="The name of domain A.")] = "A",
    domain_b: Annotated[str, typer.Option(metavar="NAME", help="The name of domain B.")] = "B",
    direction: Annotated[
        Literal["a2b", "b2a"] | None,
        typer.Option(
            help="The direction of a single generator, if its file's name does not say it.  [default: a2b]",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Convert the authors' .pth files to a model file.

    They are those of pytorch-CycleGAN-and-pix2pix. Files with code are refused.
    """
    from cyclegan.atomic import check_new_file, file_suffix
    from cyclegan.checkpoints.model_file import save_model
    from cyclegan.reference.importing import import_model

    if file_suffix(output) not in ("", ".safetensors"):
        raise UsageError(f"{printable(output)} is not named like a model file.", "Let it end in .safetensors.")
    check_new_file(output, overwrite=overwrite)
    info, weights = import_model(files, domain_a=domain_a, domain_b=domain_b, direction=direction)
    save_model(output, info, weights)
    networks = sorted({name.partition(".")[0] for name in weights})
    keys = ("generator", "discriminator", "channels_a", "channels_b")
    facts = {key: value for key, value in dataclasses.asdict(info).items() if key in keys}
    Console(quiet=quiet, as_json=as_json).result(
        {"model": str(output), "networks": networks} | facts,
        f"Imported: {printable(output)} ({', '.join(networks)}; {describe_generators(info)})",
    )


def describe_generators(info: "ModelInfo") -> str:
    """Describe the generators of a model, and its grey domains."""
    grey = [name for name, channels in (("A", info.channels_a), ("B", info.channels_b)) if channels == 1]
    grey_domains = f"; grey: {' and '.join(grey)}" if grey else ""
    return f"{info.generator.description}, {info.generator.norm} norm{grey_domains}"
