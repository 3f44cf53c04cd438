"""Pictures that repeat each other: one file twice, or one picture saved, sized or mirrored otherwise.

Candidates share a perceptual hash (pHash): of a 32 x 32 grey thumbnail, which of the 8 x 8 slowest cosine terms are
above their median. Their thumbnails decide. Pictures that are all but one colour are not compared: they show nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Hashes = NDArray[np.uint64]
Places = NDArray[np.intp]

SIDE = 32  # pixels, of a thumbnail
TERMS = 8  # cosine terms each way; their 64 bits are the hash
NEAR = 6  # bits of 64 in which the hashes of one picture may differ
BANDS = NEAR + 1  # two hashes that are near agree in at least one of so many groups of bits
BAND_BITS = 64 // BANDS
ALIKE = 0.96  # correlation of two thumbnails; in horse2zebra copies have 0.965 and more, other pictures 0.950 and less
AT_ONCE = 2**16  # comparisons held in memory

BITS_IN = np.array([number.bit_count() for number in range(2**16)], dtype=np.uint8)


@dataclass(frozen=True)
class Fingerprint:
    """What tells whether two pictures are one."""

    digest: bytes  # of the file
    thumbnail: Floats  # SIDE x SIDE greys, upright, of mean 0 and length 1


@dataclass(frozen=True)
class Repeat:
    """Pictures that are one and the same, as places in the list that was compared."""

    places: tuple[int, ...]
    exact: bool  # whether their files are the same to the byte
    mirrored: bool  # whether some show it as in a mirror


def find_repeats(prints: Sequence[Fingerprint]) -> list[Repeat]:
    """Return the groups of pictures that repeat each other, in the order of their first."""
    if not prints:
        return []
    first_of: dict[bytes, int] = {}  # one place for each file that differs
    leaders = [first_of.setdefault(one.digest, place) for place, one in enumerate(prints)]
    firsts = list(first_of.values())
    mirrored = set()
    for one, other, is_mirrored in near_pairs(np.stack([prints[place].thumbnail for place in firsts])):
        keep, drop = sorted((_leader(leaders, firsts[one]), _leader(leaders, firsts[other])))
        leaders[drop] = keep
        mirrored |= {firsts[one]} if is_mirrored else set()
    groups: dict[int, list[int]] = {}
    for place in range(len(prints)):
        groups.setdefault(_leader(leaders, place), []).append(place)
    return [
        Repeat(tuple(places), len({prints[place].digest for place in places}) == 1, not mirrored.isdisjoint(places))
        for places in groups.values()
        if len(places) > 1
    ]


def near_pairs(thumbnails: Floats) -> Iterator[tuple[int, int, bool]]:
    """Yield the places of every two thumbnails, n SIDE SIDE, that show one picture, and whether one is mirrored."""
    count = len(thumbnails)
    both = np.concatenate([thumbnails, thumbnails[:, :, ::-1]])
    for ones, others in candidates(perceptual_hashes(both), count):
        likeness = (both[ones].astype(np.float32) * both[others]).sum(axis=(1, 2))
        for one, other in zip(ones[likeness >= ALIKE], others[likeness >= ALIKE], strict=True):
            yield int(one), int(other) % count, bool(other >= count)


def perceptual_hashes(thumbnails: Floats) -> Hashes:
    """Return the hash of each of the thumbnails, n SIDE SIDE."""
    waves = cosines()
    terms = np.einsum("kh,nhw,lw->nkl", waves, thumbnails.astype(np.float32), waves, optimize=True).reshape(
        -1, TERMS**2
    )
    above = terms > np.median(terms, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64)[:, 0]


@cache
def cosines() -> Floats:
    """Return the slowest waves of the cosine transform (DCT-II), TERMS x SIDE."""
    waves: Floats = np.cos(np.pi * np.outer(np.arange(TERMS), np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)
    return waves


def candidates(hashes: Hashes, count: int) -> Iterator[tuple[Places, Places]]:
    """Yield places of near hashes, one among the first `count`, the other behind it and of another picture.

    Only hashes that agree in a whole band of their bits are compared, so the work grows hardly faster than the pictures
    do; a pair may come more than once.
    """
    for band in range(BANDS):
        values = (hashes >> np.uint64(band * BAND_BITS)) & np.uint64(2**BAND_BITS - 1)
        order = np.argsort(values, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
            rows = bucket[bucket < count]
            for start in range(0, len(rows), step := max(1, AT_ONCE // len(bucket))):
                ones, others = near_in(hashes, rows[start : start + step], bucket)
                apart = (ones < others) & (others != ones + count)
                yield ones[apart], others[apart]


def near_in(hashes: Hashes, rows: Places, bucket: Places) -> tuple[Places, Places]:
    """Return the places of all near hashes, one of `rows` and one of `bucket`."""
    differing = (hashes[rows][:, None] ^ hashes[bucket][None]).view(np.uint16)
    distances = BITS_IN[differing].reshape(len(rows), len(bucket), 4).sum(axis=2)
    ones, others = np.nonzero(distances <= NEAR)
    return rows[ones], bucket[others]


def _leader(leaders: list[int], place: int) -> int:
    """Return the first place of the group that a place is in, and shorten the way there."""
    while leaders[place] != place:
        leaders[place] = leaders[leaders[place]]
        place = leaders[place]
    return place
