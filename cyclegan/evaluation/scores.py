"""All scores of a folder of translations, with what must be said beside them to compare them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice

import numpy as np
import torch

from cyclegan.errors import CycleganError, DataError, ModelFileError, printable
from cyclegan.evaluation.distances import FEWEST, Features, KernelDistance, frechet_distance, kernel_distance
from cyclegan.evaluation.extractors import Extractor
from cyclegan.evaluation.folders import Folder
from cyclegan.evaluation.likeness import Likeness, compare
from cyclegan.evaluation.resizing import RESIZINGS, Resizing, to_side
from cyclegan.images import Pixels

BATCH = 16  # pictures that an extractor looks at together


@dataclass(frozen=True)
class Distance:
    """How far the translations are from the real pictures."""

    fid: float
    kid: KernelDistance


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The scores of a folder of translations."""

    translated: int  # pictures
    real: int
    extractor: Extractor
    distances: dict[Resizing, Distance]
    faithfulness: Likeness | None  # to the sources
    answers: Likeness | None  # to the true answers
    failed: list[CycleganError]

    @property
    def notes(self) -> list[str]:
        """What someone who compares the numbers must know."""
        return [note for note in (self._own_extractor(), self._too_few()) if note]

    @property
    def library(self) -> str:
        """What KID and the extractor come from."""
        return f"torch-fidelity {version('torch-fidelity')}"

    def _own_extractor(self) -> str:
        own = f"{printable(self.extractor.name)} is not the network of the papers"
        return "" if self.extractor.published else f"{own}: compare these numbers only with others of its own."

    def _too_few(self) -> str:
        fewest, features = min(self.translated, self.real), self.extractor.features
        few = f"{fewest} pictures are too few for the FID of {features:,} features, which grows the fewer there are"
        return f"{few}: compare it at these numbers of pictures only, or KID." if fewest <= features else ""


def evaluate(  # noqa: PLR0913 (what is compared, and how)
    translated: Folder,
    real: Folder,
    extractor: Extractor,
    *,
    resizings: Sequence[Resizing] = RESIZINGS,
    source: Folder | None = None,
    paired: bool = False,
    on_picture: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Compare translations with real pictures, and with their sources and true answers if there are any.

    True answers (`paired`) are real pictures of the same names.
    """
    ours = features_of(translated, extractor, resizings, on_picture)
    theirs = features_of(real, extractor, resizings, on_picture)
    faithfulness = compare(translated, source) if source else None
    answers = compare(translated, real) if paired else None
    folders = (translated, real, source) if source else (translated, real)
    return Evaluation(
        translated=len(ours[resizings[0]]),
        real=len(theirs[resizings[0]]),
        extractor=extractor,
        distances={way: distance(ours[way], theirs[way]) for way in resizings},
        faithfulness=faithfulness,
        answers=answers,
        failed=[error for folder in folders for error in folder.failed.values()],
    )


def distance(ours: Features, theirs: Features) -> Distance:
    """Return FID and KID."""
    return Distance(frechet_distance(ours, theirs), kernel_distance(ours, theirs))


def features_of(
    folder: Folder, extractor: Extractor, resizings: Sequence[Resizing], on_picture: Callable[[], object]
) -> dict[Resizing, Features]:
    """Return what an extractor sees in the pictures of a folder, resized in each of the ways."""
    seen: dict[Resizing, list[Features]] = {way: [] for way in resizings}
    for batch in batches((pixels for _, pixels in folder.pictures()), BATCH):
        for way in resizings:
            seen[way].append(extractor(torch.stack([to_side(pixels, extractor.side, way) for pixels in batch])))
        for _ in batch:
            on_picture()
    check_enough(folder)
    features = {way: np.concatenate(parts) for way, parts in seen.items()}
    if not all(np.isfinite(rows).all() for rows in features.values()):
        raise ModelFileError(
            f"{printable(extractor.name)} sees what is no number in {printable(folder.place)}.", "Use another."
        )
    return features


def check_enough(folder: Folder) -> None:
    """Raise an error if too few pictures of a folder can be read for any comparison."""
    readable = len(folder.paths) - len(folder.failed)
    if readable < FEWEST:
        raise DataError(
            f"{readable} pictures in {printable(folder.place)} can be read, and {FEWEST} are the fewest to compare.",
            " ".join(map(str, folder.failed.values())) or "Add some.",
        )


def batches(pictures: Iterable[Pixels], most: int) -> Iterator[list[Pixels]]:
    """Yield the pictures, some at a time."""
    rest = iter(pictures)
    while batch := list(islice(rest, most)):
        yield batch
