"""Translating files and folders in one call, for the command line and for Python."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from cyclegan.checkpoints.model_file import ModelInfo
from cyclegan.config.keep import Keep
from cyclegan.directions import DirectionName
from cyclegan.errors import CycleganError
from cyclegan.inference.backends import BackendChoice, backend_for
from cyclegan.inference.loading import choose_model
from cyclegan.inference.translator import Checkerboard, Translator
from cyclegan.translation.job import TranslateJob, TranslateOptions, TranslateResult
from cyclegan.translation.masks import check_mask, check_mask_stays
from cyclegan.translation.outputs import check_folders, check_output, is_archive, translate_into_archive
from cyclegan.translation.pipeline import count_pictures_and_frames, translate_targets
from cyclegan.translation.scale import scale_note
from cyclegan.translation.scores import Scorer, write_scores
from cyclegan.translation.sequences import describe_sequences
from cyclegan.translation.targets import Target, passed_over_in, plan_targets

InputPath = str | os.PathLike[str]


@dataclass(frozen=True)
class TranslatePlan:
    """A translation that has been checked; the networks are loaded after this."""

    model: Path
    info: ModelInfo
    direction: DirectionName
    targets: Sequence[Target]
    notes: Sequence[str]  # messages for the user before the work begins


def translate_folder(  # noqa: PLR0913 (by name)
    inputs: InputPath | Sequence[InputPath],
    model: str | Path | None = None,
    *,
    output: InputPath | None = None,
    direction: DirectionName | None = None,
    to: str | None = None,
    image_format: str | None = None,
    options: TranslateOptions = TranslateOptions(),  # noqa: B008 (frozen)
    scores: bool = False,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    tile: int | None = None,
    keep: str = "auto",
    checkerboard: Checkerboard = "auto",
    backend: BackendChoice = "auto",
    on_plan: Callable[[TranslatePlan], object] = lambda _: None,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> TranslateResult:
    """Translate files and folders, and write the outputs in their formats, with their metadata.

    `model`, `keep`, `checkerboard` and the hardware's parameters are those of `Translator`; `to` names a domain instead
    of `direction`.
    `output` is a folder, a .zip archive, or a file for a single input; None: beside each input, `<input>_<domain>`.
    `on_progress` is called with the number of pictures and frames done, and their total.

    Files that fail are listed in the result. A `CycleganError` is raised before the work begins: for a missing input or
    model, an output that cannot be written, or two outputs of one name.
    """
    paths = [Path(path) for path in ([inputs] if isinstance(inputs, str | os.PathLike) else inputs)]
    output = None if output is None else Path(output)
    path, info, direction = choose_model(model, to, direction)
    domain = info.domains(direction)[1]
    kept = info.resolved_keep(keep)
    check_output(paths, output, image_format, overwrite=options.overwrite)
    check_mask(options.mask)

    def translate(output: Path | None) -> TranslateResult:
        targets = plan_targets(paths, domain, output=output, image_format=image_format)
        check_folders(targets, overwrite=options.overwrite)
        check_mask_stays(options.mask, [target.path for target in targets])
        on_plan(TranslatePlan(path, info, direction, targets, _notes_before(targets, options, info, kept)))
        total = count_pictures_and_frames(targets)
        name = backend_for(backend, total)
        hardware: dict[str, Any] = {"device": device, "precision": precision, "tile": tile, "backend": name}
        translator = Translator(path, direction=direction, keep=keep, checkerboard=checkerboard, **hardware)
        job = TranslateJob(translator, options, Scorer(translator) if scores else None, interrupted=interrupted)
        return with_tables(_with_progress(targets, job, total, on_progress))

    if output is not None and is_archive(output):
        result = translate_into_archive(output, translate, interrupted)
    else:
        result = translate(output)
    result.passed_over = passed_over_in(paths, domain, output)
    return result


def _notes_before(targets: Sequence[Target], options: TranslateOptions, info: ModelInfo, kept: Keep) -> list[str]:
    scale = kept.describe() if kept.is_active else scale_note(targets, options.size, info.size)
    return [*([scale] if scale else []), *(describe_sequences(targets) if options.steady else [])]


def _with_progress(
    targets: Sequence[Target], job: TranslateJob, total: int, on_progress: Callable[[int, int], object]
) -> TranslateResult:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        on_progress(done, total)

    on_progress(done, total)
    return translate_targets(targets, replace(job, on_frame=advance), on_picture=advance)


def with_tables(result: TranslateResult) -> TranslateResult:
    """Write the tables of scores, and return the result with them."""
    try:
        result.tables = write_scores(result.scores)
    except CycleganError as error:  # it must not hide the other failures
        result.failed.append(error)
    return result
