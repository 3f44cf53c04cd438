"""`cyclegan translate`."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cyclegan.cli.console import (
    Json,
    Progress,
    ProgressStyle,
    Quiet,
    complain,
    counting,
    interruptible,
    say,
    say_json,
    tell,
    tell_if_slow,
)
from cyclegan.cli.models import model_facts, tell_model
from cyclegan.errors import CycleganError, DataError, printable

if TYPE_CHECKING:
    from cyclegan.translation import Target, TranslateJob, TranslateResult

PIPE = Path("-")


def translate(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT…", help="Pictures, clips, and folders of them; -: standard input.")
    ],
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
        typer.Option(
            help="Where to write: a folder, a .zip archive, or a file for a single input.  "
            "[default: beside the input, <input>_<domain>]",
            show_default=False,
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=0, max=65_535, help="Pixels of the short side; 0: as it came.")] = 0,
    image_format: Annotated[
        Literal["jpg", "png", "webp", "tif", "bmp", "gif", "avif"] | None,
        typer.Option("--format", help="Write pictures in another format."),
    ] = None,
    quality: Annotated[
        int, typer.Option(min=0, max=100, help="Of JPEG, WebP and AVIF; 0: as it was, and at least 90.")
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Redraw what is there already.")] = False,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="1: the translation; less: blended with the original.")
    ] = 1.0,
    steady: Annotated[
        float,
        typer.Option(min=0, max=0.99, help="Of clips and numbered frames: blend so much of the last into the next."),
    ] = 0.0,
    scores: Annotated[
        bool, typer.Option("--scores", help="Write scores.csv: how real each picture looks, how well it comes back.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with what appears in the folders, until interrupted.")
    ] = False,
    spread_by: Annotated[
        Literal["local", "ray"],
        typer.Option("--engine", help="ray: on a Ray cluster, or all of this machine; takes s3:// and the like."),
    ] = "local",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures of one size at a time.")] = 1,
    tile: Annotated[
        int, typer.Option(min=0, help="Pixels; work on larger pictures in parts so high; 0: by the free memory.")
    ] = 0,
    max_pixels: Annotated[int, typer.Option(min=1, help="Refuse pictures with more.")] = 178_956_970,
    precision: Annotated[Literal["auto", "fp32", "bf16"], typer.Option(help="Of the network's arithmetic.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Redraw pictures and clips with a trained model; names, folders, formats and sizes stay as they are."""
    from PIL import Image

    from cyclegan.checkpoints.find import find_model
    from cyclegan.checkpoints.model_file import load_model_info
    from cyclegan.translation import (
        Scorer,
        TranslateJob,
        TranslateOptions,
        Translator,
        choose_direction,
        passed_over_in,
        plan_targets,
    )

    Image.MAX_IMAGE_PIXELS = max_pixels  # Pillow's own limit would come first
    path = find_model(model)
    info = load_model_info(path)
    way = choose_direction(info, to, direction)
    target = info.domains(way)[1]
    refuse_combinations(inputs, output, ray=spread_by == "ray", watch=watch, scores=scores, as_json=as_json)

    def plan(output: Path | None = output) -> list["Target"]:
        with tell_if_slow("Listing the pictures.", quiet=quiet or watch):
            return plan_targets(inputs, target, output=output, image_format=image_format, watched=watch)

    check_output(inputs, output, image_format, overwrite=overwrite)
    targets = [] if spread_by == "ray" else planned(inputs, target, output, plan, overwrite=overwrite, watched=watch)
    tell_model(path, info, way, quiet=quiet)
    translator_options: dict[str, Any] = {"direction": way, "device": device, "precision": precision, "tile": tile}
    translator = Translator(path, **translator_options)
    options = TranslateOptions(
        size=size,
        strength=strength,
        batch_size=batch_size,
        steady=steady,
        quality=quality,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    if spread_by == "ray":
        spread_over_ray(
            inputs,
            TranslateJob(translator, options),
            translator_options,
            output,
            image_format,
            progress=progress,
            quiet=quiet,
            as_json=as_json,
        )
        return
    if PIPE in inputs:
        translate_pipe(TranslateJob(translator, options), output, image_format, quiet=quiet)
        return
    with interruptible("picture") as interrupted:
        job = TranslateJob(translator, options, Scorer(translator) if scores else None, interrupted=interrupted)

        def show(result: "TranslateResult") -> None:
            show_result(result, job, quiet=quiet, as_json=as_json)

        if watch:
            watch_folders(inputs, plan, job, show, quiet=quiet)
        else:
            result = translate_planned(targets, plan, output, job, progress=progress, quiet=quiet)
            result.passed_over = passed_over_in(inputs, translator.target, output)
            show(result)
            if result.failed and not interrupted():
                raise typer.Exit(1)
        if interrupted():
            raise typer.Exit(130)


def check_output(inputs: Sequence[Path], output: Path | None, image_format: str | None, *, overwrite: bool) -> None:
    """Raise an error for an output whose name or place is wrong, before any work is done."""
    from cyclegan.atomic import check_new_file
    from cyclegan.translation import check_output_name, is_archive

    if output is None:
        return
    check_output_name(inputs, output, image_format)
    if is_archive(output) or (PIPE in inputs and not output.is_dir()):
        check_new_file(output, overwrite=overwrite)


def planned(
    inputs: Sequence[Path], target: str, output: Path | None, plan: Any, *, overwrite: bool, watched: bool
) -> list["Target"]:
    """Return what is to be translated to folders that can be written; nothing yet of a watch, an archive or a pipe."""
    from cyclegan.atomic import require_writable
    from cyclegan.translation import check_places, is_archive
    from cyclegan.translation.targets import root_of

    if watched:
        for given in inputs:
            if not given.is_dir():
                raise DataError(f"{printable(given)} is no folder that could be watched.", "Leave --watch away.")
            if given.absolute().name:
                require_writable(root_of(given.absolute(), target, output, alone=len(inputs) == 1))
        return []
    if PIPE in inputs or is_archive(output):
        return []
    targets: list[Target] = plan()
    check_places(targets, overwrite=overwrite)
    return targets


def translate_planned(
    targets: Sequence["Target"],
    plan: Any,
    output: Path | None,
    job: "TranslateJob",
    *,
    progress: ProgressStyle,
    quiet: bool,
) -> "TranslateResult":
    """Translate targets to their places, or what is planned into an archive."""
    from cyclegan.translation import is_archive, translate_into_archive

    if output is None or not is_archive(output):
        return translate_with_bar(targets, job, progress=progress, quiet=quiet)
    return translate_into_archive(
        output, lambda folder: translate_with_bar(plan(folder), job, progress=progress, quiet=quiet), job.interrupted
    )


def translate_with_bar(
    targets: Sequence["Target"], job: "TranslateJob", *, progress: ProgressStyle, quiet: bool
) -> "TranslateResult":
    """Translate with a bar that counts pictures, and frames of clips."""
    from dataclasses import replace

    from cyclegan.translation import count_pictures_and_frames, scale_note, translate_targets

    if note := scale_note(targets, job.options.size, job.translator.info.size):
        tell(f"cyclegan: {note}", quiet=quiet)
    tell_sequences(targets, job, quiet=quiet)
    with counting("Redrawing", count_pictures_and_frames(targets), progress=progress, quiet=quiet) as advance:
        return translate_targets(targets, replace(job, on_frame=advance), on_picture=advance)


def tell_sequences(targets: Sequence["Target"], job: "TranslateJob", *, quiet: bool) -> None:
    """Say which pictures are steadied, if that is asked for."""
    from cyclegan.translation import describe_sequences

    for note in describe_sequences(targets) if job.options.steady else ():
        tell(f"cyclegan: {note}", quiet=quiet)


def watch_folders(inputs: Sequence[Path], plan: Any, job: "TranslateJob", show: Any, *, quiet: bool) -> None:
    """Translate what appears in folders, until interrupted."""
    from cyclegan.translation import watch

    tell(f"Watching {', '.join(map(printable, inputs))}. Ctrl-C ends it.", quiet=quiet)
    watch(plan, job, show, on_trouble=complain)


def refuse_combinations(
    inputs: Sequence[Path], output: Path | None, *, ray: bool, watch: bool, scores: bool, as_json: bool
) -> None:
    """Raise an error for options that leave each other out."""
    from cyclegan.translation import is_archive

    if is_archive(output):
        refuse_beside("a .zip archive is without -, --watch and --engine ray.", PIPE in inputs, watch, ray)
    if ray:
        refuse_beside("--engine ray is without -, --watch and --scores.", PIPE in inputs, watch, scores)
    if PIPE in inputs:
        alone = "- stands for standard input, alone and without --watch, --scores and --json."
        refuse_beside(alone, len(inputs) > 1, watch, scores, as_json)


def refuse_beside(rule: str, *asked: bool) -> None:
    """Raise an error where something is asked for that a rule leaves out."""
    if any(asked):
        raise DataError(rule, "Leave the others away.")


def spread_over_ray(
    inputs: Sequence[Path],
    job: "TranslateJob",
    translator_options: dict[str, Any],
    output: Path | None,
    image_format: str | None,
    *,
    progress: ProgressStyle,
    quiet: bool,
    as_json: bool,
) -> None:
    """Translate on a Ray cluster, with a bar that counts files."""
    from dataclasses import replace

    from cyclegan.translation import check_places, passed_over_far, plan_spread, spread

    targets = plan_spread(inputs, job.translator.target, output=output, image_format=image_format)
    check_places(targets, overwrite=job.options.overwrite)
    tell_sequences(targets, job, quiet=quiet)
    with (
        interruptible("picture") as interrupted,
        counting("Redrawing", len(targets), progress=progress, quiet=quiet) as advance,
    ):
        result = spread(targets, replace(job, interrupted=interrupted), translator_options, on_picture=advance)
        stopped = interrupted()
    result.passed_over = passed_over_far(inputs, job.translator.target, output)
    show_result(result, job, quiet=quiet, as_json=as_json)
    if result.failed or stopped:
        raise typer.Exit(130 if stopped else 1)


def translate_pipe(job: "TranslateJob", output: Path | None, image_format: str | None, *, quiet: bool) -> None:
    """Translate one picture from standard input to standard output, or to a file."""
    from dataclasses import replace

    from cyclegan.translation import Target, translate_targets

    if output is None and sys.stdout.isatty():
        raise DataError("the picture would be printed on the terminal.", "Redirect it: > picture.png")
    if output is not None and output.is_dir():
        raise DataError(f"{printable(output)} is a folder.", "Name a file for what comes from standard input.")
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        source = Path(folder) / "standard input"
        source.write_bytes(sys.stdin.buffer.read())
        target = output or Path(folder) / "standard output"
        target = target.with_suffix(f".{image_format}") if image_format else target
        always = replace(job, options=replace(job.options, overwrite=True))
        result = translate_targets([Target(source, target, target.parent)], always)
        for note in result.notes:
            tell(f"cyclegan: {note}".replace(str(source), source.name), quiet=quiet)
        for error in result.failed:
            complain(type(error)(str(error).replace(str(source), source.name), error.hint))
            raise typer.Exit(1)
        if output is None:
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()


def show_result(result: "TranslateResult", job: "TranslateJob", *, quiet: bool, as_json: bool) -> None:
    """Write the scores asked for, and print what became of a translation."""
    from cyclegan.data.folders import describe_passed_over
    from cyclegan.translation import write_scores

    tables: list[Path] = []
    try:
        tables = write_scores(result.scores)
    except CycleganError as trouble:  # which must not hide what else failed
        result.failed.append(trouble)
    for note in result.notes:
        tell(f"cyclegan: {note}", quiet=quiet)
    if others := describe_passed_over(result.passed_over):
        tell(f"cyclegan: {others} Save what is a picture as PNG, TIFF or JPEG to have it translated.", quiet=quiet)
    for error in result.failed:
        complain(error)
    if as_json:
        say_json(as_facts(result, job, tables))
    elif not quiet:
        say(in_words(result, job.translator.target, tables))


def as_facts(result: "TranslateResult", job: "TranslateJob", tables: Sequence[Path]) -> dict[str, Any]:
    """Return what became of a translation, for programs."""
    from cyclegan.translation import shown

    return {
        **model_facts(job.translator.path, job.translator.info, job.translator.direction),
        "domain": job.translator.target,
        "written": [shown(target.path) for target in result.done],
        "skipped": [shown(target.path) for target in result.skipped],
        "failed": [str(error) for error in result.failed],
        "passed_over": result.passed_over,
        "notes": result.notes,
        "scores": [str(table) for table in tables],
    }


def in_words(result: "TranslateResult", domain: str, tables: Sequence[Path]) -> str:
    """Return what became of a translation, as one line for people."""
    from cyclegan.translation import shown

    folder = result.done[0].path.parent if result.done else Path()
    where = f" in {printable(shown(folder))}" if folder != Path() else ""
    there = f", {len(result.skipped)} were there already" if result.skipped else ""
    lost = f", {len(result.failed)} failed" if result.failed else ""
    table = f" Scores: {', '.join(map(printable, tables))}." if tables else ""
    return f"{len(result.done)} redrawn as {printable(domain)}{where}{there}{lost}.{table}"
