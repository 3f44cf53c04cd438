"""All scores of a folder of translations, and the facts that make them comparable."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice

import numpy as np
import torch

from cyclegan.errors import CycleganError, DataError, ModelFileError
from cyclegan.evaluation.distances import Features, KernelDistance, frechet_distance, kernel_distance
from cyclegan.evaluation.extractors import Extractor
from cyclegan.evaluation.intervals import MIN_PICTURES
from cyclegan.evaluation.manifolds import (
    DENSITY_NEIGHBOURS,
    MAX_PICTURES,
    ManifoldScore,
    manifold_scores,
)
from cyclegan.evaluation.paired import PairedScores, compare_pairs
from cyclegan.evaluation.perceptual import load_lpips, why_no_lpips
from cyclegan.evaluation.picture_folder import PictureFolder
from cyclegan.evaluation.resizing import RESIZINGS, Resizing, resize_square
from cyclegan.images import Pixels
from cyclegan.text import printable

BATCH_SIZE = 16  # of the extractor


@dataclass(frozen=True)
class Distance:
    """Distance of the translations from the real pictures."""

    fid: float
    kid: KernelDistance
    precision: ManifoldScore  # share of translations in the manifold of the real pictures
    recall: ManifoldScore  # share of real pictures in the manifold of the translations
    density: ManifoldScore  # number of real pictures' balls that a translation is in, by k: 1 for equal distributions
    coverage: ManifoldScore  # share of real pictures whose balls hold a translation


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The scores of a folder of translations."""

    translated: int  # pictures
    real: int
    extractor: Extractor
    distances: dict[Resizing, Distance]
    faithfulness: PairedScores | None  # to the sources
    counterparts: PairedScores | None  # likeness to the true counterparts
    failed: list[CycleganError]

    @property
    def notes(self) -> list[str]:
        """Facts to know before comparing the numbers."""
        notes = []
        if not self.extractor.published:
            name = printable(self.extractor.name)
            notes.append(
                f"{name} is not the network of the papers: compare these numbers only with others of the same network."
            )
        count, features = min(self.translated, self.real), self.extractor.features
        if count <= features:
            notes.append(
                f"{count} pictures are too few for the FID of {features:,} features, which grows the fewer there are: "
                "compare it at these numbers of pictures only, or compare KID."
            )
        if self.counterparts and self.counterparts.lpips is None:
            notes.append(f"LPIPS was not measured: {why_no_lpips()}.")
        return [*notes, *self._manifold_notes()]

    def _manifold_notes(self) -> list[str]:
        """Facts to know before comparing precision, recall, density and coverage."""
        notes = []
        distance = next(iter(self.distances.values()))
        k, k_density = distance.precision.k, distance.density.k
        if k_density < DENSITY_NEIGHBOURS:
            notes.append(
                f"{min(self.translated, self.real)} pictures are too few for {DENSITY_NEIGHBOURS} neighbours: "
                f"precision and recall have k = {k}, density and coverage k = {k_density}."
            )
        if max(self.translated, self.real) > MAX_PICTURES:
            notes.append(
                f"precision, recall, density and coverage take {MAX_PICTURES:,} pictures at most, drawn at random."
            )
        return notes

    @property
    def library(self) -> str:
        """The source of KID and of the extractor's architecture."""
        return f"torch-fidelity {version('torch-fidelity')}"


def evaluate_folders(  # noqa: PLR0913 (options have defaults)
    translated: PictureFolder,
    real: PictureFolder,
    extractor: Extractor,
    *,
    resizings: Sequence[Resizing] = RESIZINGS,
    source: PictureFolder | None = None,
    paired: bool = False,
    on_picture: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Compare translations with real pictures, and with their `source`, if there is one.

    `paired` says that `real` holds the true counterparts under the same names; the translations are compared with them.
    """
    features = compute_features(translated, extractor, resizings, on_picture)
    real_features = compute_features(real, extractor, resizings, on_picture)
    faithfulness = compare_pairs(translated, source) if source else None
    counterparts = compare_pairs(translated, real, load_lpips(extractor.device)) if paired else None
    folders = (translated, real, source) if source else (translated, real)
    return Evaluation(
        translated=len(features[resizings[0]]),
        real=len(real_features[resizings[0]]),
        extractor=extractor,
        distances={resizing: distance(features[resizing], real_features[resizing]) for resizing in resizings},
        faithfulness=faithfulness,
        counterparts=counterparts,
        failed=[error for folder in folders for error in folder.failed.values()],
    )


def distance(features: Features, real_features: Features) -> Distance:
    """Return all distances of two sets of features."""
    return Distance(
        fid=frechet_distance(features, real_features),
        kid=kernel_distance(features, real_features),
        **manifold_scores(features, real_features),
    )


def compute_features(
    folder: PictureFolder, extractor: Extractor, resizings: Sequence[Resizing], on_picture: Callable[[], object]
) -> dict[Resizing, Features]:
    """Return the features of all pictures of a folder, for each way to resize them."""
    batches: dict[Resizing, list[Features]] = {resizing: [] for resizing in resizings}
    for batch in batched((pixels for _, pixels in folder.pictures()), BATCH_SIZE):
        for resizing in resizings:
            squares = torch.stack([resize_square(pixels, extractor.side, resizing) for pixels in batch])
            batches[resizing].append(extractor(squares))
        for _ in batch:
            on_picture()
    check_enough(folder)
    features = {resizing: np.concatenate(rows) for resizing, rows in batches.items()}
    if not all(np.isfinite(rows).all() for rows in features.values()):
        raise ModelFileError(
            f"{printable(extractor.name)} returns features of {printable(folder.folder)} that are not finite.",
            "Use another extractor.",
        )
    return features


def check_enough(folder: PictureFolder) -> None:
    """Raise an error if too few pictures of a folder can be read."""
    readable = len(folder.paths) - len(folder.failed)
    if readable < MIN_PICTURES:
        raise DataError(
            f"{readable} pictures in {printable(folder.folder)} can be read; a comparison needs {MIN_PICTURES}.",
            " ".join(map(str, folder.failed.values())) or "Add some.",
        )


def batched(pictures: Iterable[Pixels], size: int) -> Iterator[list[Pixels]]:
    """Yield the pictures in lists of `size`; the last may be shorter."""
    iterator = iter(pictures)
    while batch := list(islice(iterator, size)):
        yield batch
