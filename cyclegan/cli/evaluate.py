"""`cyclegan evaluate`."""

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyclegan.cli.console import Json, Quiet, complain, counting, say, say_json, tell
from cyclegan.cli.download import watching
from cyclegan.cli.models import model_facts, tell_model
from cyclegan.errors import ConfigError, printable

if TYPE_CHECKING:
    from cyclegan.evaluation import Evaluation, Folder


def evaluate(
    translated: Annotated[
        Path, typer.Argument(metavar="TRANSLATED", help="Translated pictures; with --model, those to translate.")
    ],
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Real pictures of the kind that they should be.")],
    model: Annotated[
        Path | None, typer.Option(help="A run's folder or name, or a model file, that translates them first.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DOMAIN", help="The domain that the model redraws as.")] = None,
    direction: Annotated[
        Literal["a2b", "b2a"] | None,
        typer.Option(help="Or say it so.  [default: a2b]", show_default=False),
    ] = None,
    source: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What was translated, under the same names, for faithfulness.")
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="REAL holds the true answer of each translation, under the same name.")
    ] = False,
    extractor: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Inception's weights, or a TorchScript or torch.export file of your own, whose code is run: name only "
            "what you trust.  [default: Inception's weights, downloaded once into torch's cache]",
            show_default=False,
        ),
    ] = None,
    extractor_size: Annotated[
        int, typer.Option(min=1, metavar="PIXELS", help="Side of what an extractor of your own takes.")
    ] = 299,
    resize: Annotated[
        Literal["clean", "legacy", "both"],
        typer.Option(help="How pictures are brought to the extractor's size; numbers of the two do not compare."),
    ] = "both",
    size: Annotated[
        int, typer.Option(min=0, max=65_535, help="Pixels; all pictures become such squares first. 0: as they came.")
    ] = 256,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure how far translations are from real pictures (FID, KID), and how faithful to their sources and truth."""
    from cyclegan.checkpoints.find import find_model
    from cyclegan.checkpoints.model_file import load_model_info
    from cyclegan.evaluation import RESIZINGS, Folder, load_extractor
    from cyclegan.evaluation import evaluate as evaluate_folders
    from cyclegan.evaluation.models import translated_by
    from cyclegan.translation import Translator, choose_direction

    if model is None and (to or direction):
        raise ConfigError("--to and --direction are of a model.", "Name one with --model, or leave them out.")
    if model is not None and source is not None:
        raise ConfigError("--source is of translations that are there already.", "Leave out --source or --model.")
    ours, theirs = Folder(translated, size), Folder(real, size)
    network = load_extractor(extractor or inception(quiet=quiet), side=extractor_size, device=device)
    origin = Folder(source, size) if source else ours if model else None
    facts: dict[str, Any] = {}
    path: Path | None = None
    if model is not None:
        path = find_model(model)
        info = load_model_info(path)
        way = choose_direction(info, to, direction)
        tell_model(path, info, way, quiet=quiet)
        facts = model_facts(path, info, way) | {"precision": "fp32"}
    work = len(ours.paths) * (2 if model else 1) + len(theirs.paths)
    with counting("Looking at pictures", work, quiet=quiet) as advance:
        results: Any = nullcontext(ours)
        if path is not None:
            translator = Translator(path, direction=way, device=device, precision="fp32")
            results = translated_by(translator, ours, on_picture=advance)
        with results as shown:
            evaluation = evaluate_folders(
                shown,
                theirs,
                network,
                resizings=RESIZINGS if resize == "both" else (resize,),
                source=origin,
                paired=paired,
                on_picture=advance,
            )
    tell_passed_over(translated, real, quiet=quiet)
    for error in evaluation.failed:
        complain(error)
    if as_json:
        say_json(facts | as_facts(evaluation, ours, theirs))
    elif not quiet:
        say(in_words(evaluation, ours, theirs))
    if evaluation.failed:
        raise typer.Exit(1)


def tell_passed_over(*folders: Path, quiet: bool) -> None:
    """Print which files in the folders are no pictures that can be read."""
    from cyclegan.data.folders import describe_passed_over, passed_over

    for folder in folders:
        if others := describe_passed_over(passed_over(folder)):
            tell(f"cyclegan: {printable(folder)}: {others}", quiet=quiet)


def inception(*, quiet: bool) -> Path:
    """Return Inception's weights, downloaded in plain sight if need be."""
    from cyclegan.evaluation.models import fetched_inception

    with watching("Inception's weights", quiet=quiet) as watchers:
        return fetched_inception(
            on_begin=lambda host: tell(f"Downloading Inception's weights (91 MiB) from {host}.", quiet=quiet),
            on_progress=watchers.on_bytes,
        )


def as_facts(evaluation: "Evaluation", translated: "Folder", real: "Folder") -> dict[str, Any]:
    """Return all scores, and all that makes them comparable, for programs."""
    extractor = evaluation.extractor
    return {
        "translated": {"pictures": evaluation.translated, "resized": len(translated.resized)},
        "real": {"pictures": evaluation.real, "resized": len(real.resized)},
        "size": translated.size,
        "extractor": {
            "name": extractor.name,
            "sha256": extractor.sha256,
            "size": extractor.side,
            "features": extractor.features,
            "comparable_with_papers": extractor.published,
        },
        "library": evaluation.library,
        "distances": {way: dataclasses.asdict(distance) for way, distance in evaluation.distances.items()},
        "faithfulness": evaluation.faithfulness and dataclasses.asdict(evaluation.faithfulness),
        "answers": evaluation.answers and dataclasses.asdict(evaluation.answers),
        "notes": evaluation.notes,
        "failed": [str(error) for error in evaluation.failed],
    }


def in_words(evaluation: "Evaluation", translated: "Folder", real: "Folder") -> str:
    """Return all scores, and all that makes them comparable, as lines for people."""
    extractor = evaluation.extractor
    side = f"as squares of {translated.size} pixels" if translated.size else "as they came"
    changed = f", for which {count} were resized" if (count := len(translated.resized | real.resized)) else ""
    lines = [
        f"{evaluation.translated} translations and {evaluation.real} real pictures, {side}{changed}",
        f"{printable(extractor.name)}, {extractor.features:,} features, SHA-256 {extractor.sha256}",
    ]
    for way, distance in evaluation.distances.items():
        kid = distance.kid
        lines.append(
            f"{way + ' resizing:':<18} FID {distance.fid:.2f}   KID x 1000 {kid.mean * 1000:.2f} "
            f"(95 %: {kid.low * 1000:.2f} to {kid.high * 1000:.2f}; {kid.subsets} subsets of {kid.subset_size})"
        )
    if kept := evaluation.faithfulness:
        lines.append(f"{'Faithfulness:':<18} SSIM {kept.ssim:.4f} of {kept.pictures} sources and their translations")
    if truth := evaluation.answers:
        psnr = "none, some are the same" if truth.psnr is None else f"{truth.psnr:.2f} dB"
        lines.append(
            f"{'True answers:':<18} SSIM {truth.ssim:.4f}   PSNR {psnr}   mean absolute error "
            f"{truth.mean_absolute_error:.2f} of 255, over {truth.pictures} pictures"
        )
    return "\n".join([*lines, *(f"Note: {note}" for note in evaluation.notes)])
