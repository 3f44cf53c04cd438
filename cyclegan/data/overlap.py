"""Finds pictures that are in both domains, by their folders or by their pixels."""

import hashlib
import os
from pathlib import Path

from cyclegan.config import DataConfig
from cyclegan.data.domains import Domain
from cyclegan.errors import DataError
from cyclegan.images import Pixels
from cyclegan.text import printable

SAMPLING_STEP = 8  # rows and columns of which one is compared


def check_folders_apart(data: DataConfig) -> None:
    """Raise an error if a domain's folder is the other's or lies inside it, or holds the domain's own held-out ones."""
    folder_a, folder_b = (Path(os.path.realpath(folder)) for folder in (data.folder_a, data.folder_b))
    if folder_a == folder_b and not data.aligned:
        raise DataError(
            f"both folders are the same: {printable(folder_a)}.", "Name one folder for each kind of picture."
        )
    for inner, outer in ((folder_a, folder_b), (folder_b, folder_a)):
        if is_inside(inner, outer):
            raise DataError(
                f"{printable(inner)} is inside {printable(outer)}, so its pictures would belong to both domains.",
                "Move one of the folders out of the other.",
            )
    for held_out, folder in ((data.validate_a, folder_a), (data.validate_b, folder_b)):
        place = Path(os.path.realpath(held_out))
        if held_out and (place == folder or is_inside(place, folder) or is_inside(folder, place)):
            raise DataError(
                f"{printable(place)} and {printable(folder)} share pictures, which would be trained on.",
                "Validate with pictures of a folder of their own.",
            )


def is_inside(inner: Path, outer: Path) -> bool:
    """Tell whether the pictures of a folder are listed among those of another one; hidden folders are not entered."""
    return outer in inner.parents and not any(part.startswith(".") for part in inner.relative_to(outer).parts)


def overlap_warnings(domain_a: Domain, domain_b: Domain) -> list[str]:
    """Return a message if pictures of A equal pictures of B."""
    files_of_b = dict(zip(map(digest, domain_b.pictures), domain_b.files, strict=True))
    shared = [
        (path, files_of_b[key])
        for path, key in zip(domain_a.files, map(digest, domain_a.pictures), strict=True)
        if key in files_of_b
    ]
    if not shared:
        return []
    one, other = map(printable, shared[0])
    return [
        f"{len(shared)} of {len(domain_a.files)} pictures of {printable(domain_a.name)} are in both domains, such as "
        f"{one}, which is the same picture as {other}. Take them out of one of the folders."
    ]


def digest(pixels: Pixels) -> bytes:
    """Return a hash that differs for different pictures."""
    sampled = pixels[::SAMPLING_STEP, ::SAMPLING_STEP]
    return hashlib.blake2b(sampled.tobytes() + repr((pixels.shape, pixels.dtype)).encode()).digest()
