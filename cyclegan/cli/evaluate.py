"""`cyclegan evaluate`."""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyclegan.cli import translate_options as flags
from cyclegan.cli.console import Console, Json, Quiet, complain
from cyclegan.cli.download import download_progress
from cyclegan.cli.models import model_facts, tell_model
from cyclegan.errors import UsageError
from cyclegan.text import counted, printable

if TYPE_CHECKING:
    from cyclegan.evaluation import Evaluation, PictureFolder
    from cyclegan.evaluation.comparison import Distance
    from cyclegan.evaluation.intervals import Interval
    from cyclegan.evaluation.manifolds import ManifoldScore
    from cyclegan.evaluation.paired import PairedScores
    from cyclegan.translation import Translator


Translated = Annotated[
    Path, typer.Argument(metavar="TRANSLATED", help="Translated pictures; with --model, pictures to translate.")
]
Real = Annotated[Path, typer.Argument(metavar="REAL", help="Real pictures of the target domain.")]
ModelFirst = Annotated[
    Path | None,
    typer.Option(
        help="Translate first, with this model: a run's folder or name, or a model file.",
        rich_help_panel=flags.MODEL_PANEL,
    ),
]
Source = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="The originals, under the same names: their likeness is faithfulness."),
]
HasCounterparts = Annotated[
    bool, typer.Option("--paired", help="REAL holds the true counterpart of each translation, under its name.")
]
ExtractorFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Inception's weights, or a TorchScript or torch.export file of your own. Its code is run: use only "
        "files that you trust.  [default: Inception's weights, downloaded once into torch's cache]",
        show_default=False,
    ),
]
ExtractorSize = Annotated[int, typer.Option(min=1, metavar="PIXELS", help="Input size of an extractor of your own.")]
Resize = Annotated[
    Literal["clean", "legacy", "both"],
    typer.Option(help="How pictures are resized for the extractor. Scores of the two do not compare."),
]
SquareSize = Annotated[
    int, typer.Option(min=0, max=65_535, help="Pixels. All pictures become squares of this size; 0: unchanged.")
]


def evaluate(
    translated: Translated,
    real: Real,
    model: ModelFirst = None,
    to: flags.To = None,
    direction: flags.DirectionOption = None,
    source: Source = None,
    paired: HasCounterparts = False,
    extractor: ExtractorFile = None,
    extractor_size: ExtractorSize = 299,
    resize: Resize = "both",
    size: SquareSize = 256,
    device: flags.InferenceDevice = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure distance from real pictures (FID, KID, precision, recall) and faithfulness of translations."""
    from cyclegan.evaluation import RESIZINGS, PictureFolder, evaluate_folders, load_extractor

    if model is None and (to or direction):
        raise UsageError("--to and --direction need a model.", "Name one with --model, or leave them out.")
    if model is not None and source is not None:
        raise UsageError("--source is for pictures that are already translated.", "Leave out --source or --model.")
    console = Console(quiet=quiet, as_json=as_json)
    inputs, real_folder = PictureFolder(translated, size or None), PictureFolder(real, size or None)
    network = load_extractor(extractor or inception_file(console), side=extractor_size, device=device)
    source_folder = PictureFolder(source, size or None) if source else inputs if model else None
    translator = translator_to_evaluate(model, to, direction, device, console) if model else None
    total = len(inputs.paths) * (2 if model else 1) + len(real_folder.paths)
    with (
        console.counting("Pictures", total) as advance,
        translations(inputs, translator, advance) as outputs,
    ):
        evaluation = evaluate_folders(
            outputs,
            real_folder,
            network,
            resizings=RESIZINGS if resize == "both" else (resize,),
            source=source_folder,
            paired=paired,
            on_picture=advance,
        )
    note_skipped_files(translated, real, console=console)
    for error in evaluation.failed:
        complain(error)
    facts = as_facts(evaluation, inputs, real_folder)
    if translator:
        facts |= model_facts(translator.path, translator.info, translator.direction)
        facts |= {"precision": "fp32", "backend": translator.backend_name}
    console.result(facts, as_text(evaluation, inputs, real_folder))
    if evaluation.failed:
        raise typer.Exit(1)


def translator_to_evaluate(
    model: Path, to: str | None, direction: Literal["a2b", "b2a"] | None, device: str, console: Console
) -> "Translator":
    """Load the model to evaluate, and print which it is."""
    from cyclegan.translation import Translator, choose_model

    path, info, chosen = choose_model(model, to, direction)
    tell_model(path, info, chosen, console)
    return Translator(path, direction=chosen, device=device, precision="fp32")


def translations(
    inputs: "PictureFolder", translator: "Translator | None", advance: Callable[[], object]
) -> AbstractContextManager["PictureFolder"]:
    """Lend the folder of the translations; without a model, the inputs are those."""
    from cyclegan.evaluation.preparation import translated_folder

    return translated_folder(translator, inputs, on_picture=advance) if translator else nullcontext(inputs)


def note_skipped_files(*folders: Path, console: Console) -> None:
    """Print which files in the folders are no pictures."""
    from cyclegan.data.folders import describe_passed_over, passed_over

    for folder in folders:
        if description := describe_passed_over(passed_over(folder)):
            console.note(f"{printable(folder)}: {description}")


def inception_file(console: Console) -> Path:
    """Return Inception's weights; a download is announced."""
    from cyclegan.evaluation.preparation import fetch_inception

    with download_progress("Inception's weights", console) as progress:
        return fetch_inception(
            on_begin=lambda host: console.tell(f"Downloading Inception's weights (91 MiB) from {host}."),
            on_progress=progress.on_bytes,
        )


def as_facts(evaluation: "Evaluation", translated: "PictureFolder", real: "PictureFolder") -> dict[str, Any]:
    """Return all scores and the facts that make them comparable, for JSON."""
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
        "distances": {resizing: dataclasses.asdict(distance) for resizing, distance in evaluation.distances.items()},
        "faithfulness": evaluation.faithfulness and dataclasses.asdict(evaluation.faithfulness),
        "counterparts": evaluation.counterparts and dataclasses.asdict(evaluation.counterparts),
        "notes": evaluation.notes,
        "failed": [str(error) for error in evaluation.failed],
    }


def as_text(evaluation: "Evaluation", translated: "PictureFolder", real: "PictureFolder") -> str:
    """Return all scores and the facts that make them comparable, as lines."""
    extractor = evaluation.extractor
    size = f"as squares of {translated.size} pixels" if translated.size else "not resized"
    resized = f" ({count} of them resized)" if (count := len(translated.resized | real.resized)) else ""
    translations, pictures = counted(evaluation.translated, "translation"), counted(evaluation.real, "real picture")
    lines = [
        f"{translations} and {pictures}, {size}{resized}",
        f"{printable(extractor.name)}, {extractor.features:,} features, SHA-256 {extractor.sha256}",
    ]
    for resizing, distance in evaluation.distances.items():
        lines += distance_lines(resizing, distance)
    if scores := evaluation.faithfulness:
        ssim = f"{scores.ssim:.4f}{interval_text(scores.ssim_interval, 4)}"
        lines.append(f"{'Faithfulness:':<18} SSIM {ssim}, {scores.pictures} pictures and translations")
    if scores := evaluation.counterparts:
        lines.append(counterparts_line(scores))
    return "\n".join([*lines, *(f"Note: {note}" for note in evaluation.notes)])


def distance_lines(resizing: str, distance: "Distance") -> list[str]:
    """Return the scores of one way to resize, as lines."""
    kid = distance.kid
    return [
        f"{resizing + ' resizing:':<18} FID {distance.fid:.2f}   KID x 1000 {kid.mean * 1000:.2f} "
        f"(95 %: {kid.low * 1000:.2f} to {kid.high * 1000:.2f}; {kid.subsets} subsets of {kid.subset_size})",
        f"{'':<18} precision {score_text(distance.precision)}   recall {score_text(distance.recall)}",
        f"{'':<18} density {score_text(distance.density)}   coverage {score_text(distance.coverage)}",
    ]


def score_text(score: "ManifoldScore") -> str:
    """Return a score and its interval."""
    return f"{score.value:.3f}{interval_text(score, 3)}"


def counterparts_line(scores: "PairedScores") -> str:
    """Return the likeness to the true counterparts, as a line."""
    psnr = (
        "none, some are equal" if scores.psnr is None else f"{scores.psnr:.2f}{interval_text(scores.psnr_interval)} dB"
    )
    measured = scores.lpips is not None
    lpips = f"   LPIPS {scores.lpips:.4f}{interval_text(scores.lpips_interval, 4)}" if measured else ""
    return (
        f"{'Counterparts:':<18} SSIM {scores.ssim:.4f}{interval_text(scores.ssim_interval, 4)}   PSNR {psnr}   "
        f"mean absolute error {scores.mean_absolute_error:.2f}{interval_text(scores.mean_absolute_error_interval)} "
        f"of 255{lpips}, {counted(scores.pictures, 'picture')}"
    )


def interval_text(interval: "Interval | ManifoldScore | None", digits: int = 2) -> str:
    """Return a 95 % confidence interval in brackets; nothing where there is none."""
    return f" (95 %: {interval.low:.{digits}f} to {interval.high:.{digits}f})" if interval else ""
