"""Which pictures are drawn together: one of A and one of B independently, or a pair.

Each sample follows from the seed and its number alone, so a continued run draws what an uninterrupted one would have.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cyclegan.config import Config
from cyclegan.data.domains import Domain
from cyclegan.data.folders import picture_index
from cyclegan.errors import DataError
from cyclegan.text import counted, printable

SHAPE_TOLERANCE = 0.05  # relative difference of the aspects of a pair, without a note
STREAM_A, STREAM_B, STREAM_PAIRED = 0, 1, 2  # of random numbers


class Sample(NamedTuple):
    """The indices of a picture of A and one of B, and whether they are a pair."""

    a: int
    b: int
    is_pair: bool


@dataclass(frozen=True)
class Pairing:
    """Pictures by their indices: pairs, and those without a partner."""

    pairs: Sequence[tuple[int, int]]
    loose_a: Sequence[int]
    loose_b: Sequence[int]

    def describe(self) -> str:
        """Return for people how many pictures are paired."""
        loose = f"; {len(self.loose_a)} and {len(self.loose_b)} pictures have no partner"
        return counted(len(self.pairs), "pair") + loose * bool(self.loose_a or self.loose_b)


def find_pairs(domain_a: Domain, domain_b: Domain) -> Pairing:
    """Pair pictures that have the same name and sub-folder in both folders, apart from their suffix.

    No pair at all is a `DataError`.
    """
    pairs = same_names((domain_a.files, domain_a.folder), (domain_b.files, domain_b.folder))
    if not pairs:
        raise DataError(
            f"no picture in {printable(domain_a.folder)} has a partner of the same name in "
            f"{printable(domain_b.folder)}.",
            "Give both pictures of a pair one name, or train without --paired.",
        )
    paired_a, paired_b = ({pair[side] for pair in pairs} for side in (0, 1))
    return Pairing(
        pairs,
        [index for index in range(len(domain_a.files)) if index not in paired_a],
        [index for index in range(len(domain_b.files)) if index not in paired_b],
    )


def same_names(a: tuple[Sequence[Path], Path], b: tuple[Sequence[Path], Path]) -> list[tuple[int, int]]:
    """Return the indices of files, each list with its folder, whose names in it are the same apart from the suffix."""
    names_a, names_b = ([path.relative_to(folder).with_suffix("") for path in files] for files, folder in (a, b))
    index_b = {name: index for index, name in reversed([*enumerate(names_b)])}  # the first, where suffixes differ
    return [(index, index_b.pop(name)) for index, name in enumerate(names_a) if name in index_b]


def unlike_shapes_note(domain_a: Domain, domain_b: Domain, pairing: Pairing) -> list[str]:
    """Return a message if pictures of a pair differ in shape."""
    unlike = []
    for a, b in pairing.pairs:
        (height_a, width_a), (height_b, width_b) = domain_a.pictures[a].shape[:2], domain_b.pictures[b].shape[:2]
        if abs(width_a * height_b / (height_a * width_b) - 1) > SHAPE_TOLERANCE:
            unlike.append(domain_a.files[a])
    if not unlike:
        return []
    return [
        f"{len(unlike)} pairs differ in shape, such as {printable(unlike[0])}: B's pictures are stretched to A's. "
        "Both pictures of a pair should show the same view."
    ]


def sampler(domain_a: Domain, domain_b: Domain, config: Config) -> Callable[[int], Sample]:
    """Return the function that gives the sample of a number."""
    all_a, all_b = range(len(domain_a.pictures)), range(len(domain_b.pictures))
    seed = config.training.seed
    if not config.data.paired:
        return partial(independent_sample, seed, all_a, all_b)
    pairing = find_pairs(domain_a, domain_b)
    # Where every picture of a domain is paired, the loose ones of the other are drawn with any of them.
    loose = partial(independent_sample, seed, pairing.loose_a or all_a, pairing.loose_b or all_b)
    return partial(paired_sample, seed, pairing, loose)


def independent_sample(seed: int, a: Sequence[int], b: Sequence[int], draw: int) -> Sample:
    """Return a picture of A and one of B, drawn independently."""
    return Sample(
        a[picture_index(seed, STREAM_A, draw, len(a))], b[picture_index(seed, STREAM_B, draw, len(b))], is_pair=False
    )


def paired_sample(seed: int, pairing: Pairing, loose: Callable[[int], Sample], draw: int) -> Sample:
    """Return a pair or a loose sample; in each round every pair and every loose picture comes once, or more often."""
    pairs, loose_samples = len(pairing.pairs), max(len(pairing.loose_a), len(pairing.loose_b))
    index = picture_index(seed, STREAM_PAIRED, draw, pairs + loose_samples)
    if index < pairs:
        return Sample(*pairing.pairs[index], is_pair=True)
    return loose(draw // (pairs + loose_samples) * loose_samples + index - pairs)
