"""A domain in training: its pictures are decoded and resized once, and cached in memory or on disk."""

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil
import torch

from cyclegan.config import Config
from cyclegan.data.folders import describe_passed_over, list_pictures, passed_over
from cyclegan.data.store import PictureStore
from cyclegan.devices import free_memory
from cyclegan.errors import DataError, PictureError
from cyclegan.images import Picture, Pixels, read_picture, resized, size_with_short_side, with_bits, with_channels
from cyclegan.prefetch import map_ahead
from cyclegan.text import printable

MEMORY_SHARE = 0.4  # of the free memory that one domain's pictures may take
SMALL_FACTOR = 2  # enlargement to the training size from which pictures are called small
MIN_HELD_OUT = 2  # pictures of a domain that can be held out: two sets are to be compared


@dataclass
class Domain:
    """The pictures of one domain, ready for cropping."""

    name: str
    folder: Path
    pictures: list[Pixels] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    held_out: list[Pixels] = field(default_factory=list)  # for validation, never trained on
    held_out_files: list[Path] = field(default_factory=list)
    sizes: dict[Path, int] = field(default_factory=dict)  # of all these files, in bytes, when they were read
    skipped: list[PictureError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # messages about pictures that are used


def load_domain(
    config: Config, letter: str, *, scratch: Path, on_picture: Callable[[], object] = lambda: None
) -> Domain:
    """Load domain `a` or `b`: decode and resize every picture of its folder, and the held-out ones.

    Damaged pictures are skipped and listed; fewer left than a batch needs is an error. Pictures that do not fit in
    memory go to an unnamed file in `scratch` that disappears with the process.
    """
    data = config.data
    name, folder, channels = (
        (data.name_a, data.folder_a, data.channels_a)
        if letter == "a"
        else (data.name_b, data.folder_b, data.channels_b)
    )
    domain = Domain(name, Path(folder))
    files, held_out = training_and_held_out(config, letter)
    if others := describe_passed_over(passed_over(domain.folder)):
        domain.notes.append(f"{printable(domain.folder)}: {others}")
    store = PictureStore(memory_budget(config.machine.cache), scratch)
    short_sides: list[int] = []  # of the training pictures in their files, in pixels

    def prepare(path: Path) -> tuple[Picture, int] | PictureError:
        try:
            picture = read_picture(path)
        except PictureError as error:
            return error
        if data.aligned:
            picture = replace(picture, pixels=half_of(picture.pixels, letter))
        ready = for_training(picture, data.short_side, channels, keep_aspect=data.keep_aspect)
        return ready, min(picture.pixels.shape[:2])

    paths, workers = files + held_out, psutil.cpu_count() or 1
    for number, loaded in enumerate(map_ahead(prepare, paths, workers=workers)):
        path, is_training = paths[number], number < len(files)
        if isinstance(loaded, PictureError):
            domain.skipped.append(loaded)
        else:
            picture, short_side = loaded
            (domain.files if is_training else domain.held_out_files).append(path)
            short_sides += [short_side] if is_training else []
            domain.sizes[path] = path.stat().st_size
            domain.notes += [picture.first_frame_note(path)] if picture.frames > 1 else []
            store.add(picture.pixels)
        on_picture()

    check_enough_pictures(domain, len(paths), config.training.batch_size, validates=bool(held_out or data.validate))
    domain.notes += small_picture_warnings(domain.name, short_sides, data.short_side)
    pictures = store.pictures()
    domain.pictures, domain.held_out = pictures[: len(domain.files)], pictures[len(domain.files) :]
    return domain


def memory_budget(cache: str) -> int:
    """Return the bytes that one domain's pictures may take in memory, by the setting `machine.cache`."""
    if cache == "auto":
        return int(free_memory(torch.device("cpu")) * MEMORY_SHARE)
    return 0 if cache == "disk" else sys.maxsize


def half_of(pixels: Pixels, letter: str) -> Pixels:
    """Return the half of a picture that belongs to domain `a`, the left one, or to `b`."""
    width = max(pixels.shape[1] // 2, 1)
    return np.ascontiguousarray(pixels[:, :width] if letter == "a" else pixels[:, -width:])


def training_and_held_out(config: Config, letter: str) -> tuple[list[Path], list[Path]]:
    """Return the files of domain `a` or `b` to train on, and those held out."""
    data = config.data
    folder, other = (data.folder_a, data.validate_a) if letter == "a" else (data.folder_b, data.validate_b)
    files = list_pictures(Path(folder))
    if other:
        return files, list_pictures(Path(other))
    parts: tuple[list[Path], list[Path]] = [], []
    for path in files:
        name = path.relative_to(folder)
        # Without their suffixes both pictures of a pair have one name, and are held out together.
        parts[is_held_out(name.with_suffix("") if data.paired else name, data.validate)].append(path)
    return parts


def is_held_out(name: Path, share: float) -> bool:
    """Tell whether a picture is held out, by its name alone: other pictures of its folder have no influence."""
    number = hashlib.sha256(name.as_posix().encode("utf-8", "surrogateescape")).digest()[:8]
    return int.from_bytes(number, "big") < share * 2**64


def check_enough_pictures(domain: Domain, count: int, batch_size: int, *, validates: bool) -> None:
    """Raise an error if most of a domain's `count` pictures cannot be read, or too few of them can."""
    if len(domain.skipped) * 2 > count:  # the rest is not the domain
        first = domain.skipped[0]
        raise DataError(
            f"{len(domain.skipped)} of {count} pictures of {printable(domain.name)} cannot be read; the first: {first}",
            f"{first.hint} Or take them out of {printable(domain.folder)}.".strip(),
        )
    if len(domain.files) < batch_size:
        worst = f", such as {str(domain.skipped[0]).rstrip('.')}" if domain.skipped else ""
        raise DataError(
            f"{printable(domain.folder)} holds {len(domain.files)} readable pictures, fewer than a batch of "
            f"{batch_size}; {len(domain.skipped)} cannot be read{worst}.",
            "Add pictures, or choose a smaller --batch-size.",
        )
    if validates and len(domain.held_out_files) < MIN_HELD_OUT:
        raise DataError(
            f"{len(domain.held_out_files)} pictures of {printable(domain.name)} are held out for validation, "
            f"and at least {MIN_HELD_OUT} are needed.",
            "Add pictures, hold out a larger share, at most --validate 0.5, or name folders with --validate-a and "
            "--validate-b.",
        )


def small_picture_warnings(name: str, short_sides: Sequence[int], short_side: int) -> list[str]:
    """Return a message if most pictures, with these short sides in pixels, are enlarged twice or more."""
    median = int(np.median(short_sides))
    if median * SMALL_FACTOR > short_side:
        return []
    size = max(round(median * 256 / 286) // 4 * 4, 16)
    return [
        f"most pictures of {printable(name)} are small: the short side of {median} pixels (the median) is enlarged to "
        f"{short_side}, which adds blur and no detail. Train nearer to their size, as with --size {size}."
    ]


def for_training(picture: Picture, short_side: int, channels: int, *, keep_aspect: bool) -> Picture:
    """Return a picture of so many channels with its short side `short_side` pixels long, or a square of that side.

    Its pixel values have the 8 or 16 bits of its file.
    """
    height, width = picture.pixels.shape[:2]
    if keep_aspect:
        height, width = size_with_short_side(height, width, short_side)
    else:
        height = width = short_side
    pixels = resized(with_channels(picture.pixels, channels), width, height)
    return picture.with_pixels(with_bits(pixels, picture.bits))
