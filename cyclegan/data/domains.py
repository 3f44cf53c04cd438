"""A domain in training: its pictures are decoded and resized once, and cached in memory or on disk."""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import psutil
import torch

from cyclegan.config import Config
from cyclegan.data.folders import describe_passed_over, list_pictures, passed_over
from cyclegan.devices import free_memory
from cyclegan.errors import DataError, PictureError, disk_errors, printable
from cyclegan.images import Picture, Pixels, read_picture, resized, size_with_short_side, with_bits, with_channels
from cyclegan.prefetch import map_ahead

MEMORY_SHARE = 0.4  # of the free memory that one domain's pictures may take
SMALL_FACTOR = 2  # enlargement to the training size from which pictures are called small
MIN_HELD_OUT = 2  # pictures of a domain that can be held out: two sets are to be compared

StoredArray = tuple[int, tuple[int, ...], np.dtype]  # in the store's file: first byte, shape, type


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


class PictureStore:
    """Stores pictures in memory up to a budget, and the rest in one file that is mapped into memory."""

    def __init__(self, budget: int, folder: Path) -> None:
        self.budget = budget  # bytes
        self.folder = folder
        self.entries: list[Pixels | StoredArray] = []
        self.file: IO[bytes] | None = None

    def add(self, pixels: Pixels) -> None:
        """Add a picture."""
        if pixels.nbytes <= self.budget:
            self.budget -= pixels.nbytes
            self.entries.append(pixels)
            return
        with disk_errors(self.folder):
            if self.file is None:
                self.file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (it lives as long as the map)
            self.entries.append((self.file.tell(), pixels.shape, pixels.dtype))
            self.file.write(pixels.tobytes())

    def pictures(self) -> list[Pixels]:
        """Return all pictures in the order they came."""
        if self.file is None:
            return [entry for entry in self.entries if not isinstance(entry, tuple)]
        with self.file:  # the map keeps it open
            self.file.flush()
            mapped = np.memmap(self.file, dtype=np.uint8, mode="r")
        return [
            mapped[entry[0] :][: int(np.prod(entry[1])) * entry[2].itemsize].view(entry[2]).reshape(entry[1])
            if isinstance(entry, tuple)
            else entry
            for entry in self.entries
        ]


def load_domain(config: Config, side: str, *, scratch: Path, on_picture: Callable[[], object] = lambda: None) -> Domain:
    """Load domain `a` or `b`: decode and resize every picture of its folder, and the held-out ones.

    Damaged pictures are skipped and listed; fewer left than a batch needs is an error. Pictures that do not fit in
    memory go to an unnamed file in `scratch` that disappears with the process.
    """
    folder = Path(config.data.folder_a if side == "a" else config.data.folder_b)
    domain = Domain(config.data.name_a if side == "a" else config.data.name_b, folder)
    budget = {"memory": 2**63, "disk": 0}.get(
        config.machine.cache, int(free_memory(torch.device("cpu")) * MEMORY_SHARE)
    )
    store = PictureStore(budget, scratch)
    files, held_out = training_and_held_out(config, side)

    if others := describe_passed_over(passed_over(folder)):
        domain.notes.append(f"{printable(folder)}: {others}")

    channels = config.data.channels_a if side == "a" else config.data.channels_b

    short_side = config.data.short_side
    short_sides: list[int] = []  # of the training pictures in their files, in pixels

    def prepare(path: Path) -> tuple[Picture, int] | PictureError:
        try:
            picture = read_picture(path)
        except PictureError as error:
            return error
        ready = for_training(picture, short_side, channels, keep_aspect=config.data.keep_aspect)
        return ready, min(picture.pixels.shape[:2])

    workers = psutil.cpu_count() or 1
    everything = files + held_out
    for number, loaded in enumerate(map_ahead(prepare, everything, workers=workers)):
        path = everything[number]
        if isinstance(loaded, PictureError):
            domain.skipped.append(loaded)
        else:
            picture, short_side_in_file = loaded
            short_sides += [short_side_in_file] if number < len(files) else []
            (domain.files if number < len(files) else domain.held_out_files).append(path)
            domain.sizes[path] = path.stat().st_size
            domain.notes += [picture.first_frame_note(path)] if picture.frames > 1 else []
            store.add(picture.pixels)
        on_picture()
    check_most_were_read(domain, len(everything))
    if len(domain.files) < config.training.batch_size:
        worst = f", such as {str(domain.skipped[0]).rstrip('.')}" if domain.skipped else ""
        raise DataError(
            f"{printable(folder)} holds {len(domain.files)} readable pictures, fewer than a batch of "
            f"{config.training.batch_size}; {len(domain.skipped)} cannot be read{worst}.",
            "Add pictures, or choose a smaller --batch-size.",
        )
    if (held_out or config.data.validate) and len(domain.held_out_files) < MIN_HELD_OUT:
        raise DataError(
            f"{len(domain.held_out_files)} pictures of {printable(domain.name)} are held out for validation, "
            f"and at least {MIN_HELD_OUT} are needed.",
            "Hold out more, as in --validate 0.2, or name folders with --validate-a and --validate-b.",
        )
    domain.notes += small_picture_warnings(domain.name, short_sides, short_side)
    pictures = store.pictures()
    domain.pictures, domain.held_out = pictures[: len(domain.files)], pictures[len(domain.files) :]
    return domain


def training_and_held_out(config: Config, side: str) -> tuple[list[Path], list[Path]]:
    """Return the files of domain `a` or `b` to train on, and those held out."""
    data = config.data
    folder, other = (data.folder_a, data.validate_a) if side == "a" else (data.folder_b, data.validate_b)
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


def check_most_were_read(domain: Domain, count: int) -> None:
    """Raise an error if more than half of a domain's `count` pictures cannot be read: the rest is not the domain."""
    if len(domain.skipped) * 2 > count:
        first = domain.skipped[0]
        raise DataError(
            f"{len(domain.skipped)} of {count} pictures of {printable(domain.name)} cannot be read; the first: {first}",
            f"{first.hint} Or take them out of {printable(domain.folder)}.".strip(),
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
