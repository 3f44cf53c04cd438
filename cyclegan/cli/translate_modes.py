"""What `cyclegan translate` does: files and folders, watched folders, a Ray cluster, or a pipe."""

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from cyclegan.cli.console import Console, complain, interruptible
from cyclegan.cli.models import tell_model
from cyclegan.cli.translate_result import exit_with_status, print_result
from cyclegan.errors import UsageError
from cyclegan.text import printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo
    from cyclegan.directions import DirectionName
    from cyclegan.translation import Target, TranslateJob, TranslateOptions, TranslatePlan, TranslateResult

PIPE = Path("-")


@dataclass(frozen=True)
class TranslateArguments:
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
    console: Console

    def run(self, engine: Literal["local", "ray"], *, watch: bool) -> None:
        """Translate in the way that the arguments ask for."""
        self.refuse_combinations(ray=engine == "ray", watch=watch)
        if engine == "ray":
            translate_on_cluster(self)
        elif PIPE in self.inputs:
            translate_pipe(self)
        elif watch:
            watch_folders(self)
        else:
            translate_files(self)

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
                pipe, len(self.inputs) > 1, watch, self.scores, self.console.as_json,
            ),
        }  # fmt: skip
        for rule, (applies, *excluded) in rules.items():
            if applies and any(excluded):
                raise UsageError(rule, "Leave the others away.")

    def find_model(self) -> "tuple[Path, ModelInfo, DirectionName]":
        """Return the model file, its metadata and the direction."""
        from cyclegan.translation import choose_model

        return choose_model(self.model, self.to, self.direction)

    def load_job(self, path: Path, info: "ModelInfo", direction: "DirectionName") -> "TranslateJob":
        """Print which model is used and what it keeps, load it, and return the job."""
        from cyclegan.translation import Scorer, TranslateJob, Translator

        tell_model(path, info, direction, self.console)
        translator = Translator(path, direction=direction, **self.translator_options)
        if translator.keep.is_active:
            self.console.note(translator.keep.describe())
        return TranslateJob(translator, self.options, Scorer(translator) if self.scores else None)


def translate_files(request: TranslateArguments) -> None:
    """Translate files and folders, with a progress bar."""
    from cyclegan.translation import translate_folder

    console = request.console
    plans: list[TranslatePlan] = []
    with ExitStack() as listing, ExitStack() as bar, interruptible("picture", quiet=console.quiet) as interrupted:
        listing.enter_context(console.tell_if_slow("Listing the pictures."))
        advance: list[Callable[[], None]] = []

        def on_plan(plan: "TranslatePlan") -> None:
            listing.close()
            plans.append(plan)
            tell_model(plan.model, plan.info, plan.direction, console)
            for note in plan.notes:
                console.note(note)

        def on_progress(done: int, total: int) -> None:
            if done:
                advance[0]()
            else:
                advance.append(bar.enter_context(console.counting("Translating", total)))

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
        print_result(result, plan.model, plan.info, plan.direction, console)
        exit_with_status(result, interrupted=interrupted())


def watch_folders(request: TranslateArguments) -> None:
    """Translate what appears in folders, until interrupted."""
    from cyclegan.atomic import require_writable
    from cyclegan.translation import check_mask_stays, check_output, plan_targets, root_of, watch, with_tables

    path, info, direction = request.find_model()
    domain = info.domains(direction)[1]
    check_output(request.inputs, request.output, request.image_format, overwrite=request.options.overwrite)
    for folder in request.inputs:
        if not folder.is_dir():
            raise UsageError("is not a folder, which --watch needs.", "Leave --watch away.", folder)
        if folder.absolute().name:
            root = root_of(folder.absolute(), domain, request.output, alone=len(request.inputs) == 1)
            require_writable(root)
            check_mask_stays(request.options.mask, [root])

    def plan() -> list["Target"]:
        return plan_targets(
            request.inputs, domain, output=request.output, image_format=request.image_format, watched=True
        )

    def show(result: "TranslateResult") -> None:
        print_result(with_tables(result), path, info, direction, request.console)

    job = request.load_job(path, info, direction)
    with interruptible("picture", quiet=request.console.quiet) as interrupted:
        folders = ", ".join(map(printable, request.inputs))
        request.console.tell(f"Watching {folders}. Ctrl-C ends it.")
        watch(plan, replace(job, interrupted=interrupted), show, on_error=complain)
        raise typer.Exit(130)


def translate_on_cluster(request: TranslateArguments) -> None:
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
    domain, console, options = info.domains(direction)[1], request.console, request.options
    check_output(request.inputs, request.output, request.image_format, overwrite=options.overwrite)
    job = request.load_job(path, info, direction)
    targets = plan_remote_targets(request.inputs, domain, output=request.output, image_format=request.image_format)
    check_folders(targets, overwrite=options.overwrite)
    for note in describe_sequences(targets) if options.steady else ():
        console.note(note)
    bar = console.counting("Translating", len(targets))
    with interruptible("picture", quiet=console.quiet) as interrupted, bar as advance:
        job = replace(job, interrupted=interrupted)
        translator_options = {"direction": direction, **request.translator_options}
        result = translate_on_ray(targets, job, translator_options, on_picture=advance)
        stopped = interrupted()
    result.passed_over = passed_over_remote(request.inputs, domain, request.output)
    print_result(result, path, info, direction, console)
    exit_with_status(result, interrupted=stopped)


def translate_pipe(request: TranslateArguments) -> None:
    """Translate one picture from standard input to standard output, or to a file."""
    from cyclegan.atomic import check_new_file
    from cyclegan.inference.backends import backend_for
    from cyclegan.translation import Target, check_mask_stays, check_output, translate_targets

    output, mask = None if request.output == PIPE else request.output, request.options.mask
    if mask is not None and mask.is_dir():
        raise UsageError("is a folder, which has no mask for standard input.", "Name a file with --mask.", mask)
    check_output(request.inputs, output, request.image_format, overwrite=request.options.overwrite)
    if output is None and sys.stdout.isatty():
        raise UsageError("the picture would be printed on the terminal.", "Redirect it: > picture.png")
    if output is not None:
        if output.is_dir():
            raise UsageError("is a folder.", "Name a file for the picture from standard input.", output)
        check_new_file(output, overwrite=request.options.overwrite)
        check_mask_stays(mask, [output])
    options = request.translator_options
    options = options | {"backend": backend_for(options["backend"], pictures=1)}
    job = replace(request, translator_options=options).load_job(*request.find_model())
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as folder:
        source = Path(folder) / "standard input"
        source.write_bytes(sys.stdin.buffer.read())
        path = output or Path(folder) / "standard output"
        path = path.with_suffix(f".{request.image_format}") if request.image_format else path
        target = Target(source, path, path.parent, source_name=source.name)
        result = translate_targets([target], replace(job, options=replace(job.options, overwrite=True)))
        for note in result.notes:
            request.console.note(note)
        for error in result.failed:
            complain(error)
            raise typer.Exit(1)
        if output is None:
            sys.stdout.buffer.write(path.read_bytes())
            sys.stdout.buffer.flush()
