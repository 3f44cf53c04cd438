"""A blinded rating sheet: one HTML page on which a person chooses between two translations of each photograph.

The two candidates are models, or folders with pictures of the same names. Which one is on which side is random, and
stands in the page only as base64, so that nobody sees it by accident. The page needs no network.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from cyclegan import __version__
from cyclegan.data.folders import list_pictures
from cyclegan.errors import DataError, PictureError, UsageError
from cyclegan.evaluation.picture_folder import PictureFolder
from cyclegan.images import Picture, read_picture, resized
from cyclegan.reports.rendering import packaged, render
from cyclegan.reports.samples import EmbeddedPicture, embed
from cyclegan.text import printable
from cyclegan.translation import ComparedModel, Comparison, TranslateOptions
from cyclegan.translation.compared_models import translated_rows
from cyclegan.translation.contact_sheet import cell_of

WEBP_QUALITY = 95  # the same for all pictures of the page, whatever their files were
MAX_SHAPE_DIFFERENCE = 0.02  # of the ratio of width to height, by rounding


@dataclass(frozen=True)
class Photo:
    """A photograph, and the name under which folders hold their pictures of it."""

    path: Path
    name: PurePath  # its path in the folder that was named, without its suffix


@dataclass(frozen=True)
class Trial:
    """One choice on the sheet."""

    picture: str  # the photograph's name
    original: EmbeddedPicture
    pictures: tuple[EmbeddedPicture, EmbeddedPicture]  # left, right
    left: int  # index of the candidate on the left


@dataclass
class RatingSheet:
    """The trials of a sheet in their order, and the names of the two candidates."""

    candidates: tuple[str, str]
    trials: list[Trial] = field(default_factory=list)
    failed: list[PictureError] = field(default_factory=list)  # pictures that cannot be read
    without_counterpart: int = 0  # photographs of which a folder has no picture

    @property
    def key(self) -> str:
        """Which candidate is on which side: base64, to be read with the answers."""
        sides = [[trial.picture, trial.left] for trial in self.trials]
        return base64.b64encode(json.dumps({"candidates": self.candidates, "trials": sides}).encode()).decode("ascii")

    @property
    def identifier(self) -> str:
        """What tells this sheet from others."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    def html(self, question: str) -> str:
        """Return the page, which asks `question` about each trial."""
        script = packaged("rating.js")
        return render(
            "rating.html",
            question=question,
            style="\n".join(map(packaged, ("colors.css", "rating.css"))),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
            trials=self.trials,
            key=self.key,
            identifier=self.identifier,
            version=__version__,
        )


def photos_in(paths: Sequence[Path]) -> list[Photo]:
    """Return the pictures that are named, and those in the folders that are named."""
    return [
        Photo(picture, (picture.relative_to(path) if path.is_dir() else PurePath(path.name)).with_suffix(""))
        for path in paths
        for picture in (list_pictures(path) if path.is_dir() else [path])
    ]


def make_rating_sheet(  # noqa: PLR0913 (options have defaults)
    photos: Sequence[Photo],
    models: Sequence[ComparedModel] = (),
    folders: Sequence[Path] = (),
    *,
    count: int = 50,
    size: int = 256,
    seed: int = 0,
    device: str = "auto",
    on_picture: Callable[[], object] = lambda: None,
) -> RatingSheet:
    """Return a sheet with at most `count` of the photographs, their short side at `size` pixels.

    The candidates are two models, two folders, or one of each: pictures of the same names, such as another program's
    translations or the true ones. `on_picture` is called after each translation.
    """
    if len(models) + len(folders) != 2:
        raise UsageError(
            f"a sheet compares two candidates, and {len(models) + len(folders)} are named.",
            "Name two with --model or --pictures.",
        )
    sheet = RatingSheet(candidate_names(models, folders))
    others = [PictureFolder(folder) for folder in folders]
    usable = [photo for photo in photos if all(photo.name in other.by_name for other in others)]
    sheet.without_counterpart = len(photos) - len(usable)
    if not usable:
        raise DataError(
            f"none of the photographs has a counterpart in {' and '.join(printable(folder) for folder in folders)}.",
            "Counterparts have the same names, apart from their suffix.",
        )
    random = np.random.default_rng(seed)
    chosen = [usable[index] for index in random.permutation(len(usable))[:count]]
    comparison = Comparison(list(models))
    paths, options = [photo.path for photo in chosen], TranslateOptions(size=size)
    rows = translated_rows(comparison, paths, options, device=device, on_picture=on_picture)
    sheet.failed = comparison.failed
    names = {photo.path: photo.name for photo in chosen}
    read = [(names[path], row) for path, row in zip(comparison.pictures, rows, strict=True)]
    complete = [(name, row) for name, row in read if add_counterparts(sheet, row, name, others)]
    # As often on the left as on the right, so that a preference for a side favours neither.
    for (name, row), left in zip(complete, random.permutation(len(complete)) % 2, strict=True):
        sheet.trials.append(trial_of(name, row, int(left)))
    return sheet


def candidate_names(models: Sequence[ComparedModel], folders: Sequence[Path]) -> tuple[str, str]:
    """Return two different names of the candidates."""
    names = [", ".join((model.caption[0], model.caption[2])) for model in models]
    first, second = names + [folder.resolve().name for folder in folders]
    return (first, second) if first != second else (f"{first} (first)", f"{second} (second)")


def add_counterparts(sheet: RatingSheet, row: list[Picture], name: PurePath, others: Sequence[PictureFolder]) -> bool:
    """Add the pictures of a photograph in other folders, at its size; tell whether all can be used."""
    height, width = row[0].pixels.shape[:2]
    for other in others:
        path = other.by_name[name]
        try:
            picture = read_picture(path)
        except PictureError as error:
            sheet.failed.append(error)
            return False
        shape = picture.pixels.shape
        if abs(shape[1] / shape[0] * height / width - 1) > MAX_SHAPE_DIFFERENCE:
            sheet.failed.append(PictureError("has another shape than its photograph.", "Crop one of them.", path))
            return False
        row.append(picture.with_pixels(resized(picture.pixels, width, height)))
    return True


def trial_of(name: PurePath, row: Sequence[Picture], left: int) -> Trial:
    """Return the choice between two pictures of a photograph; `row` holds the photograph and both."""
    original, *pictures = (embed(np.asarray(cell_of(picture)), WEBP_QUALITY) for picture in row)
    return Trial(name.as_posix(), original, (pictures[left], pictures[1 - left]), left)
