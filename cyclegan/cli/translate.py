"""`cyclegan translate`."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from cyclegan.cli import translate_options as flags
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
from cyclegan.cli.list_models import print_models
from cyclegan.cli.models import model_facts, tell_model
from cyclegan.errors import CycleganError, DataError, printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo
    from cyclegan.directions import DirectionName
    from cyclegan.translation import Target, TranslateJob, TranslateOptions, TranslatePlan, TranslateResult

PIPE = Path("-")
EXAMPLES = (
    "cyclegan translate photos/                    with the newest run, into photos_zebras/",
    "cyclegan translate photos/ --model horses2zebras --output striped/",
    "cyclegan translate zebra.jpg --to horses      the other direction",
    "cyclegan translate video.mp4 --steady 0.5     less flicker",
    "cyclegan translate - < in.png > out.png",
)


def translate(
    inputs: flags.Inputs = None,
    output: flags.Output = None,
    image_format: flags.ImageFormat = None,
    quality: flags.Quality = None,
    overwrite: flags.Overwrite = False,
    scores: flags.Scores = False,
    watch: flags.Watch = False,
    max_pixels: flags.MaxPixels = 178_956_970,
    model: flags.Model = None,
    list_models: flags.ListModels = False,
    to: flags.To = None,
    direction: flags.Direction = None,
    size: flags.Size = None,
    mask: flags.Mask = None,
    keep: flags.Keep = "auto",
    strength: flags.Strength = 1.0,
    steady: flags.Steady = 0.0,
    engine: flags.Engine = "local",
    batch_size: flags.BatchSize = 1,
    tile: flags.Tile = None,
    precision: flags.Precision = "auto",
    device: flags.Device = "auto",
    progress: Progress = "auto",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Translate pictures and videos with a trained model; names, folders, formats and sizes stay as they are."""
    if list_models:
        print_models(quiet=quiet, as_json=as_json)
        return
    if not inputs:
        raise DataError("no picture, video or folder is named.", "cyclegan translate photos/ translates a folder.")
    from cyclegan.translation import TranslateOptions

    options = TranslateOptions(
        size=size or None,
        strength=strength,
        mask=mask,
        batch_size=batch_size,
        steady=steady,
        quality=quality or None,
        overwrite=overwrite,
        max_pixels=max_pixels,
    )
    translator_options = {"device": device, "precision": precision, "tile": tile or None, "keep": keep}
    messages = Messages(progress, quiet, as_json)
    request = Request(inputs, output, image_format, model, to, direction, options, scores, translator_options, messages)
    request.refuse_combinations(ray=engine == "ray", watch=watch)
    if engine == "ray":
        translate_on_cluster(request)
    elif PIPE in inputs:
        translate_pipe(request)
    elif watch:
        watch_folders(request)
    else:
        translate_and_print(request)


@dataclass(frozen=True)
class Messages:
    """What is printed."""

    progress: ProgressStyle
    quiet: bool
    as_json: bool

    def note(self, text: str) -> None:
        """Print a message on standard error."""
        tell(f"cyclegan: {text}", quiet=self.quiet)


@dataclass(frozen=True)
class Request:
    """The arguments of the command."""

    inputs: list[Path]
    output: Path | None
    image_format: str | None
    model: Path | None
    to: str | None
    direction: Literal["a2b", "b2a"] | None
    options: "TranslateOptions"
    scores: bool
    translator_options: dict[str, Any]
    messages: Messages

    def refuse_combinations(self, *, ray: bool, watch: bool) -> None:
        """Raise an error for options that exclude each other."""
        from cyclegan.translation import check_mask, is_archive

        check_mask(self.options.mask)
        pipe = PIPE in self.inputs
        rules = {
            "a .zip archive is without -, --watch and --engine ray.": (is_archive(self.output), pipe, watch, ray),
            "--engine ray is without -, --watch, --scores and --mask.": (
                ray, pipe, watch, self.scores, self.options.mask,
            ),
            "- stands for standard input, alone and without --watch, --scores and --json.": (
                pipe, len(self.inputs) > 1, watch, self.scores, self.messages.as_json,
            ),
        }  # fmt: skip
        for rule, (applies, *excluded) in rules.items():
            if applies and any(excluded):
                raise DataError(rule, "Leave the others away.")

    def find_model(self) -> "tuple[Path, ModelInfo, DirectionName]":
        """Return the model file, its metadata and the direction."""
        from cyclegan.checkpoints.find import find_model
        from cyclegan.checkpoints.model_file import load_model_info
        from cyclegan.translation import choose_direction

        path = find_model(self.model)
        info = load_model_info(path)
        return path, info, choose_direction(info, self.to, self.direction)

    def load_job(self, path: Path, info: "ModelInfo", direction: "DirectionName") -> "TranslateJob":
        """Print which model is used, load it, and return the job."""
        from cyclegan.translation import Scorer, TranslateJob, Translator

        tell_model(path, info, direction, quiet=self.messages.quiet)
        translator = Translator(path, direction=direction, **self.translator_options)
        return TranslateJob(translator, self.options, Scorer(translator) if self.scores else None)


def translate_and_print(request: Request) -> None:
    """Translate files and folders, with a progress bar."""
    from cyclegan.translation import translate_folder

    messages = request.messages
    plans: list[TranslatePlan] = []
    with ExitStack() as listing, ExitStack() as bar, interruptible("picture") as interrupted:
        listing.enter_context(tell_if_slow("Listing the pictures.", quiet=messages.quiet))
        advance: list[Callable[[], None]] = []

        def on_plan(plan: "TranslatePlan") -> None:
            listing.close()
            plans.append(plan)
            tell_model(plan.model, plan.info, plan.direction, quiet=messages.quiet)
            for note in plan.notes:
                messages.note(note)

        def on_progress(done: int, total: int) -> None:
            if done:
                advance[0]()
            else:
                count = counting("Translating", total, progress=messages.progress, quiet=messages.quiet)
                advance.append(bar.enter_context(count))

        result = translate_folder(
            request.inputs,
            request.model,
            output=request.output,
            direction=request.direction,
            to=request.to,
            image_format=request.image_format,
            options=request.options,
            scores=request.scores,
            **request.translator_options,
            on_plan=on_plan,
            on_progress=on_progress,
            interrupted=interrupted,
        )
        bar.close()
        [plan] = plans
        print_result(result, plan.model, plan.info, plan.direction, messages)
        exit_with_status(result, interrupted=interrupted())


def watch_folders(request: Request) -> None:
    """Translate what appears in folders, until interrupted."""
    from cyclegan.atomic import require_writable
    from cyclegan.translation import check_output, plan_targets, root_of, watch, write_scores

    path, info, direction = request.find_model()
    domain = info.domains(direction)[1]
    check_output(request.inputs, request.output, request.image_format, overwrite=request.options.overwrite)
    for folder in request.inputs:
        if not folder.is_dir():
            raise DataError("is not a folder, which --watch needs.", "Leave --watch away.", folder)
        if folder.absolute().name:
            require_writable(root_of(folder.absolute(), domain, request.output, alone=len(request.inputs) == 1))

    def plan() -> list["Target"]:
        return plan_targets(
            request.inputs, domain, output=request.output, image_format=request.image_format, watched=True
        )

    def show(result: "TranslateResult") -> None:
        try:
            result.tables = write_scores(result.scores)
        except CycleganError as error:
            result.failed.append(error)
        print_result(result, path, info, direction, request.messages)

    job = request.load_job(path, info, direction)
    with interruptible("picture") as interrupted:
        folders = ", ".join(map(printable, request.inputs))
        tell(f"Watching {folders}. Ctrl-C ends it.", quiet=request.messages.quiet)
        watch(plan, replace(job, interrupted=interrupted), show, on_error=complain)
        raise typer.Exit(130)


def translate_on_cluster(request: Request) -> None:
    """Translate on a Ray cluster, with a progress bar of files."""
    from cyclegan.translation import (
        check_folders,
        check_output,
        describe_sequences,
        passed_over_remote,
        plan_remote_targets,
        translate_on_ray,
    )

    path, info, direction = request.find_model()
    domain, messages, options = info.domains(direction)[1], request.messages, request.options
    check_output(request.inputs, request.output, request.image_format, overwrite=options.overwrite)
    job = request.load_job(path, info, direction)
    targets = plan_remote_targets(request.inputs, domain, output=request.output, image_format=request.image_format)
    check_folders(targets, overwrite=options.overwrite)
    for note in describe_sequences(targets) if options.steady else ():
        messages.note(note)
    bar = counting("Translating", len(targets), progress=messages.progress, quiet=messages.quiet)
    with interruptible("picture") as interrupted, bar as advance:
        job = replace(job, interrupted=interrupted)
        translator_options = {"direction": direction, **request.translator_options}
        result = translate_on_ray(targets, job, translator_options, on_picture=advance)
        stopped = interrupted()
    result.passed_over = passed_over_remote(request.inputs, domain, request.output)
    print_result(result, path, info, direction, messages)
    exit_with_status(result, interrupted=stopped)


def translate_pipe(request: Request) -> None:
    """Translate one picture from standard input to standard output, or to a file."""
    from cyclegan.atomic import check_new_file
    from cyclegan.translation import Target, check_output, translate_targets

    output = request.output
    check_output(request.inputs, output, request.image_format, overwrite=request.options.overwrite)
    if output is None and sys.stdout.isatty():
        raise DataError("the picture would be printed on the terminal.", "Redirect it: > picture.png")
    if output is not None:
        if output.is_dir():
            raise DataError("is a folder.", "Name a file for the picture from standard input.", output)
        check_new_file(output, overwrite=request.options.overwrite)
    job = request.load_job(*request.find_model())
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        source = Path(folder) / "standard input"
        source.write_bytes(sys.stdin.buffer.read())
        path = output or Path(folder) / "standard output"
        path = path.with_suffix(f".{request.image_format}") if request.image_format else path
        target = Target(source, path, path.parent, source_name=source.name)
        result = translate_targets([target], replace(job, options=replace(job.options, overwrite=True)))
        for note in result.notes:
            request.messages.note(note)
        for error in result.failed:
            complain(error)
            raise typer.Exit(1)
        if output is None:
            sys.stdout.buffer.write(path.read_bytes())
            sys.stdout.buffer.flush()


def exit_with_status(result: "TranslateResult", *, interrupted: bool) -> None:
    """End the command with 130 after an interruption, and with 1 if some inputs failed."""
    if interrupted or result.failed:
        raise typer.Exit(130 if interrupted else 1)


def print_result(
    result: "TranslateResult", model: Path, info: "ModelInfo", direction: "DirectionName", messages: Messages
) -> None:
    """Print the messages, the errors and the result of a translation."""
    from cyclegan.data.folders import describe_passed_over

    for note in result.notes:
        messages.note(note)
    if passed_over := describe_passed_over(result.passed_over):
        messages.note(f"{passed_over} To translate pictures among them, save these as PNG, TIFF or JPEG.")
    for error in result.failed:
        complain(error)
    domain = info.domains(direction)[1]
    if messages.as_json:
        say_json({**model_facts(model, info, direction), "domain": domain, **result_facts(result)})
    elif not messages.quiet:
        say(result_line(result, domain))


def result_facts(result: "TranslateResult") -> dict[str, Any]:
    """Return the result of a translation as JSON values."""
    from cyclegan.translation import displayed

    return {
        "written": [displayed(target.path) for target in result.done],
        "skipped": [displayed(target.path) for target in result.skipped],
        "failed": [str(error) for error in result.failed],
        "passed_over": result.passed_over,
        "notes": result.notes,
        "scores": [str(table) for table in result.tables],
    }


def result_line(result: "TranslateResult", domain: str) -> str:
    """Return the result of a translation as one line."""
    from cyclegan.translation import displayed

    folder = result.done[0].path.parent if result.done else Path()
    where = f" in {printable(displayed(folder))}" if folder != Path() else ""
    skipped = f", {len(result.skipped)} existed already" if result.skipped else ""
    failed = f", {len(result.failed)} failed" if result.failed else ""
    tables: Sequence[str] = [*map(printable, result.tables)]
    scores = f" Scores: {', '.join(tables)}." if tables else ""
    return f"{len(result.done)} translated to {printable(domain)}{where}{skipped}{failed}.{scores}"
