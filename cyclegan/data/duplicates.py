"""Duplicates: equal files, or one picture that was saved, resized or mirrored.

Candidates have near perceptual hashes (pHash): of the 8 x 8 lowest frequencies (DCT-II) of a 32 x 32 grey thumbnail,
which are above their median. The correlation of the thumbnails decides. Flat pictures have no fingerprint.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
Hashes = NDArray[np.uint64]
Indices = NDArray[np.intp]

THUMBNAIL_SIDE = 32  # pixels
FREQUENCIES = 8  # in each dimension; 64 bits make the hash
MAX_HASH_DISTANCE = 6  # bits of 64, between hashes of the same picture
BANDS = MAX_HASH_DISTANCE + 1  # near hashes are equal in at least one of this many groups of bits
BAND_BITS = 64 // BANDS
# of thumbnails of one picture; in horse2zebra copies have at least 0.965, others at most 0.950
MIN_COPY_CORRELATION = 0.96
MAX_COMPARISONS = 2**16  # in memory at once

BIT_COUNTS = np.array([number.bit_count() for number in range(2**16)], dtype=np.uint8)


@dataclass(frozen=True)
class Fingerprint:
    """The values by which duplicates are found."""

    digest: bytes  # of the file
    thumbnail: FloatArray  # grey, upright, of mean 0 and norm 1


@dataclass(frozen=True)
class Duplicates:
    """Pictures that are duplicates of each other."""

    indices: tuple[int, ...]  # in the list that was searched
    exact: bool  # equal files
    mirrored: bool  # some are mirrored


def find_duplicates(fingerprints: Sequence[Fingerprint]) -> list[Duplicates]:
    """Return the groups of duplicates, in the order of their first pictures."""
    if not fingerprints:
        return []
    # Union-find: each picture points to another of its group, the first of the group to itself. Equal files first.
    first_of: dict[bytes, int] = {}
    parents = [first_of.setdefault(fingerprint.digest, index) for index, fingerprint in enumerate(fingerprints)]
    firsts = list(first_of.values())
    mirrored: set[int] = set()
    for i, j, is_mirrored in near_pairs(np.stack([fingerprints[index].thumbnail for index in firsts])):
        first, second = sorted((_root(parents, firsts[i]), _root(parents, firsts[j])))
        parents[second] = first
        if is_mirrored:
            mirrored.add(firsts[i])
    groups: dict[int, list[int]] = {}
    for index in range(len(fingerprints)):
        groups.setdefault(_root(parents, index), []).append(index)
    return [
        Duplicates(
            tuple(indices),
            exact=len({fingerprints[index].digest for index in indices}) == 1,
            mirrored=not mirrored.isdisjoint(indices),
        )
        for indices in groups.values()
        if len(indices) > 1
    ]


def near_pairs(thumbnails: FloatArray) -> Iterator[tuple[int, int, bool]]:
    """Yield the indices of every two of n thumbnails that show one picture, and whether one is mirrored."""
    count = len(thumbnails)
    both = np.concatenate([thumbnails, thumbnails[:, :, ::-1]])
    for i, j in candidates(perceptual_hashes(both), count):
        same = (both[i].astype(np.float32) * both[j]).sum(axis=(1, 2)) >= MIN_COPY_CORRELATION
        for first, second in zip(i[same], j[same], strict=True):
            yield int(first), int(second) % count, bool(second >= count)


def perceptual_hashes(thumbnails: FloatArray) -> Hashes:
    """Return the hash of each thumbnail."""
    cosines = dct_matrix()
    terms = np.einsum("kh,nhw,lw->nkl", cosines, thumbnails.astype(np.float32), cosines, optimize=True)
    terms = terms.reshape(-1, FREQUENCIES**2)
    above = terms > np.median(terms, axis=1, keepdims=True)
    return np.packbits(above, axis=1).view(np.uint64)[:, 0]


@cache
def dct_matrix() -> FloatArray:
    """Return the lowest frequencies of the DCT-II, FREQUENCIES x THUMBNAIL_SIDE."""
    angles = np.outer(np.arange(FREQUENCIES), np.arange(THUMBNAIL_SIDE) + 0.5) * (np.pi / THUMBNAIL_SIDE)
    matrix: FloatArray = np.cos(angles).astype(np.float32)
    return matrix


def candidates(hashes: Hashes, count: int) -> Iterator[tuple[Indices, Indices]]:
    """Yield indices of near hashes: the first below `count`, the second behind it and of another picture.

    Only hashes that are equal in a whole band of bits are compared, so the time grows hardly faster than the number of
    pictures. A pair may come more than once.
    """
    for band in range(BANDS):
        values = (hashes >> np.uint64(band * BAND_BITS)) & np.uint64(2**BAND_BITS - 1)
        order = np.argsort(values, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
            rows = bucket[bucket < count]
            for start in range(0, len(rows), step := max(1, MAX_COMPARISONS // len(bucket))):
                i, j = near_in(hashes, rows[start : start + step], bucket)
                distinct = (i < j) & (j != i + count)
                yield i[distinct], j[distinct]


def near_in(hashes: Hashes, rows: Indices, bucket: Indices) -> tuple[Indices, Indices]:
    """Return the indices of all near hashes, one of `rows` and one of `bucket`."""
    differing = (hashes[rows][:, None] ^ hashes[bucket][None]).view(np.uint16)
    distances = BIT_COUNTS[differing].reshape(len(rows), len(bucket), 4).sum(axis=2)
    i, j = np.nonzero(distances <= MAX_HASH_DISTANCE)
    return rows[i], bucket[j]


def _root(parents: list[int], index: int) -> int:
    """Return the first index of the group of an index, and shorten the path to it."""
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index
