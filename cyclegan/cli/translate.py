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
    from cyclegan.translation import Outcome, Task, Work

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

    from cyclegan.checkpoints.model_file import load_model_info
    from cyclegan.checkpoints.runs import find_model
    from cyclegan.translation import Manner, Scorer, Translator, Work, choose_direction, passed_over_in, plan_tasks

    Image.MAX_IMAGE_PIXELS = max_pixels  # Pillow's own limit would come first
    path = find_model(model)
    info = load_model_info(path)
    way = choose_direction(info, to, direction)
    target = info.domains(way)[1]
    refuse_combinations(inputs, output, ray=spread_by == "ray", watch=watch, scores=scores, as_json=as_json)

    def plan(output: Path | None = output) -> list["Task"]:
        with tell_if_slow("Listing the pictures.", quiet=quiet or watch):
            return plan_tasks(inputs, target, output=output, image_format=image_format, watched=watch)

    check_output(inputs, output, image_format, overwrite=overwrite)
    tasks = [] if spread_by == "ray" else planned(inputs, target, output, plan, overwrite=overwrite, watched=watch)
    tell_model(path, info, way, quiet=quiet)
    options: dict[str, Any] = {"direction": way, "device": device, "precision": precision, "tile": tile}
    translator = Translator(path, **options)
    manner = Manner(
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
            Work(translator, manner),
            options,
            output,
            image_format,
            progress=progress,
            quiet=quiet,
            as_json=as_json,
        )
        return
    if PIPE in inputs:
        translate_pipe(Work(translator, manner), output, image_format, quiet=quiet)
        return
    with interruptible("picture") as interrupted:
        work = Work(translator, manner, Scorer(translator) if scores else None, interrupted=interrupted)

        def show(outcome: "Outcome") -> None:
            show_outcome(outcome, work, quiet=quiet, as_json=as_json)

        if watch:
            watch_folders(inputs, plan, work, show, quiet=quiet)
        else:
            outcome = translate_planned(tasks, plan, output, work, progress=progress, quiet=quiet)
            outcome.passed_over = passed_over_in(inputs, translator.target, output)
            show(outcome)
            if outcome.failed and not interrupted():
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
) -> list["Task"]:
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
    tasks: list[Task] = plan()
    check_places(tasks, overwrite=overwrite)
    return tasks


def translate_planned(
    tasks: Sequence["Task"],
    plan: Any,
    output: Path | None,
    work: "Work",
    *,
    progress: ProgressStyle,
    quiet: bool,
) -> "Outcome":
    """Translate tasks to their places, or what is planned into an archive."""
    from cyclegan.translation import is_archive, translate_into_archive

    if output is None or not is_archive(output):
        return translate_tasks(tasks, work, progress=progress, quiet=quiet)
    return translate_into_archive(
        output, lambda folder: translate_tasks(plan(folder), work, progress=progress, quiet=quiet), work.interrupted
    )


def translate_tasks(tasks: Sequence["Task"], work: "Work", *, progress: ProgressStyle, quiet: bool) -> "Outcome":
    """Translate with a bar that counts pictures, and frames of clips."""
    from dataclasses import replace

    from cyclegan.translation import amount_of_work, scale_note, translate_all

    if note := scale_note(tasks, work.manner.size, work.translator.info.size):
        tell(f"cyclegan: {note}", quiet=quiet)
    tell_sequences(tasks, work, quiet=quiet)
    with counting("Redrawing", amount_of_work(tasks), progress=progress, quiet=quiet) as advance:
        return translate_all(tasks, replace(work, on_frame=advance), on_picture=advance)


def tell_sequences(tasks: Sequence["Task"], work: "Work", *, quiet: bool) -> None:
    """Say which pictures are steadied, if that is asked for."""
    from cyclegan.translation import describe_sequences

    for note in describe_sequences(tasks) if work.manner.steady else ():
        tell(f"cyclegan: {note}", quiet=quiet)


def watch_folders(inputs: Sequence[Path], plan: Any, work: "Work", show: Any, *, quiet: bool) -> None:
    """Translate what appears in folders, until interrupted."""
    from cyclegan.translation import watch

    tell(f"Watching {', '.join(map(printable, inputs))}. Ctrl-C ends it.", quiet=quiet)
    watch(plan, work, show, on_trouble=complain)


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
    work: "Work",
    options: dict[str, Any],
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

    tasks = plan_spread(inputs, work.translator.target, output=output, image_format=image_format)
    check_places(tasks, overwrite=work.manner.overwrite)
    tell_sequences(tasks, work, quiet=quiet)
    with (
        interruptible("picture") as interrupted,
        counting("Redrawing", len(tasks), progress=progress, quiet=quiet) as advance,
    ):
        outcome = spread(tasks, replace(work, interrupted=interrupted), options, on_picture=advance)
        stopped = interrupted()
    outcome.passed_over = passed_over_far(inputs, work.translator.target, output)
    show_outcome(outcome, work, quiet=quiet, as_json=as_json)
    if outcome.failed or stopped:
        raise typer.Exit(130 if stopped else 1)


def translate_pipe(work: "Work", output: Path | None, image_format: str | None, *, quiet: bool) -> None:
    """Translate one picture from standard input to standard output, or to a file."""
    from dataclasses import replace

    from cyclegan.translation import Task, translate_all

    if output is None and sys.stdout.isatty():
        raise DataError("the picture would be printed on the terminal.", "Redirect it: > picture.png")
    if output is not None and output.is_dir():
        raise DataError(f"{printable(output)} is a folder.", "Name a file for what comes from standard input.")
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        source = Path(folder) / "standard input"
        source.write_bytes(sys.stdin.buffer.read())
        target = output or Path(folder) / "standard output"
        target = target.with_suffix(f".{image_format}") if image_format else target
        always = replace(work, manner=replace(work.manner, overwrite=True))
        outcome = translate_all([Task(source, target, target.parent)], always)
        for note in outcome.notes:
            tell(f"cyclegan: {note}".replace(str(source), source.name), quiet=quiet)
        for error in outcome.failed:
            complain(type(error)(str(error).replace(str(source), source.name), error.hint))
            raise typer.Exit(1)
        if output is None:
            sys.stdout.buffer.write(target.read_bytes())
            sys.stdout.buffer.flush()


def show_outcome(outcome: "Outcome", work: "Work", *, quiet: bool, as_json: bool) -> None:
    """Write the scores asked for, and print what became of a translation."""
    from cyclegan.data.folders import describe_passed_over
    from cyclegan.translation import write_scores

    tables: list[Path] = []
    try:
        tables = write_scores(outcome.scores)
    except CycleganError as trouble:  # which must not hide what else failed
        outcome.failed.append(trouble)
    for note in outcome.notes:
        tell(f"cyclegan: {note}", quiet=quiet)
    if others := describe_passed_over(outcome.passed_over):
        tell(f"cyclegan: {others} Save what is a picture as PNG, TIFF or JPEG to have it translated.", quiet=quiet)
    for error in outcome.failed:
        complain(error)
    if as_json:
        say_json(as_facts(outcome, work, tables))
    elif not quiet:
        say(in_words(outcome, work.translator.target, tables))


def as_facts(outcome: "Outcome", work: "Work", tables: Sequence[Path]) -> dict[str, Any]:
    """Return what became of a translation, for programs."""
    from cyclegan.translation import shown

    return {
        **model_facts(work.translator.path, work.translator.info, work.translator.direction),
        "domain": work.translator.target,
        "written": [shown(task.target) for task in outcome.done],
        "skipped": [shown(task.target) for task in outcome.skipped],
        "failed": [str(error) for error in outcome.failed],
        "passed_over": outcome.passed_over,
        "notes": outcome.notes,
        "scores": [str(table) for table in tables],
    }


def in_words(outcome: "Outcome", domain: str, tables: Sequence[Path]) -> str:
    """Return what became of a translation, as one line for people."""
    from cyclegan.translation import shown

    folder = outcome.done[0].target.parent if outcome.done else Path()
    where = f" in {printable(shown(folder))}" if folder != Path() else ""
    there = f", {len(outcome.skipped)} were there already" if outcome.skipped else ""
    lost = f", {len(outcome.failed)} failed" if outcome.failed else ""
    table = f" Scores: {', '.join(map(printable, tables))}." if tables else ""
    return f"{len(outcome.done)} redrawn as {printable(domain)}{where}{there}{lost}.{table}"
