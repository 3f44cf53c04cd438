"""The same pictures translated by several models, as one contact sheet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cyclegan.checkpoints.find import all_models, find_model, model_name
from cyclegan.checkpoints.model_file import ModelInfo, load_model_info, networks_in
from cyclegan.checkpoints.run import Run
from cyclegan.directions import DirectionName
from cyclegan.errors import ModelFileError, PictureError
from cyclegan.images import MAX_PIXELS, Picture, read_picture
from cyclegan.inference.backends import backend_for
from cyclegan.inference.loading import choose_direction
from cyclegan.inference.translator import Translator
from cyclegan.text import counted, printable
from cyclegan.translation.contact_sheet import SheetRow, cell_of, draw_sheet
from cyclegan.translation.job import TranslateOptions
from cyclegan.translation.scale import scaled_to_option


@dataclass(frozen=True)
class ComparedModel:
    """A model in one direction: a column of the sheet."""

    path: Path
    info: ModelInfo
    direction: DirectionName

    @property
    def caption(self) -> tuple[str, str, str]:
        """The lines above the column."""
        steps = counted(self.info.steps_of(self.direction), "step") if self.info.steps else "imported"
        best = ", best" if self.path == Run(self.path.parent).best else ""
        return model_name(self.path), f"to {self.info.domains(self.direction)[1]}", steps + best


@dataclass
class Comparison:
    """A contact sheet, and what it shows."""

    models: list[ComparedModel]
    pictures: list[Path] = field(default_factory=list)
    failed: list[PictureError] = field(default_factory=list)  # pictures that cannot be read
    sheet: Picture | None = None  # None where no picture can be read


def compared_models(
    models: Sequence[str | Path] = (),
    *,
    to: str | None = None,
    direction: DirectionName | None = None,
    states: bool = False,
) -> tuple[list[ComparedModel], dict[str, ModelFileError]]:
    """Return a column for each model: a run's folder or name, a model file, or a shipped model.

    Without names these are all runs under `checkpoints/` and the shipped models, except those that do not translate
    this way, whose names and errors are returned too; a named one raises its error. With `states` a run has a column
    for its best model and one for its newest.
    """
    columns: list[ComparedModel] = []
    left_out: dict[str, ModelFileError] = {}
    for model in models or all_models():
        path = find_model(model)
        run = Run(path.parent)
        try:
            files = [file for file in (run.best, run.model) if file.is_file()] if states else []
            columns += [column_of(file, to, direction) for file in (files if path in files else [path])]
        except ModelFileError as error:
            if models:
                raise
            left_out[model_name(path)] = error
    if not columns:
        raise ModelFileError("no model translates this way.", "Name one with --model, or another --to.")
    return columns, left_out


def column_of(path: Path, to: str | None, direction: DirectionName | None) -> ComparedModel:
    """Return a model in the direction that is asked for, or in the only one it has."""
    info, networks = load_model_info(path), networks_in(path)
    if to is None and direction is None:
        return ComparedModel(path, info, "a2b" if "a2b" in networks else "b2a")
    chosen = choose_direction(info, to, direction)
    if chosen not in networks:
        raise ModelFileError(f"{printable(path)} has no generator {chosen}.", "Name another direction or model.")
    return ComparedModel(path, info, chosen)


def compare_models(  # noqa: PLR0913 (options have defaults)
    pictures: Sequence[Path],
    models: Sequence[ComparedModel],
    *,
    size: int = 256,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
    on_picture: Callable[[], object] = lambda: None,
) -> Comparison:
    """Translate pictures, with their short side at `size` pixels, by every model, and draw the sheet.

    The sheet says in its metadata that it was generated. Pictures that cannot be read, or have more than `max_pixels`,
    are listed. `on_picture` is called after each translation.
    """
    comparison = Comparison(list(models))
    options = TranslateOptions(size=size, max_pixels=max_pixels)
    rows = translated_rows(comparison, pictures, options, device=device, on_picture=on_picture)
    if rows:
        comparison.sheet = marked_sheet(comparison, rows)
    return comparison


def translated_rows(
    comparison: Comparison,
    pictures: Sequence[Path],
    options: TranslateOptions,
    *,
    device: str,
    on_picture: Callable[[], object],
) -> list[list[Picture]]:
    """Return each picture, in the size of the options, and its translations by every model.

    `comparison` lists the pictures of the rows, and those that cannot be read.
    """
    rows: list[list[Picture]] = []
    for path in pictures:
        try:
            picture = read_picture(path, options.max_pixels)
            pixels = scaled_to_option(picture.pixels, path, options)
        except PictureError as error:
            comparison.failed.append(error)
            continue
        comparison.pictures.append(path)
        rows.append([picture.with_pixels(pixels)])
    for model in comparison.models:  # one in memory at a time
        translator = Translator(
            model.path, direction=model.direction, device=device, backend=backend_for("auto", len(rows))
        )
        for row in rows:
            row.append(translator.translate_picture(row[0]))
            on_picture()
    return rows


def marked_sheet(comparison: Comparison, rows: Sequence[Sequence[Picture]]) -> Picture:
    """Return the sheet with the mark of generated pictures."""
    captions = [("original",), *(model.caption for model in comparison.models)]
    cells = [
        SheetRow(path.name, [cell_of(picture) for picture in row])
        for path, row in zip(comparison.pictures, rows, strict=True)
    ]
    sheet = Picture.from_image(draw_sheet(captions, cells))
    names = ", ".join(printable(model_name(model.path)) for model in comparison.models)
    return replace(sheet, metadata=sheet.metadata.mark_generated(f"cyclegan models {names}", composite=True))
