"""Folders of pictures for an evaluation: RGB of 8 bits, all of one size.

Pictures are read as all metrics libraries read them, so that numbers compare: pixel values as stored, without regard
to colour profile, EXIF orientation or alpha.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from cyclegan.data.folders import list_pictures
from cyclegan.errors import CycleganError, DataError, PictureError
from cyclegan.images import Pixels, read_picture, resized, with_bits, with_channels
from cyclegan.images.decoding_errors import picture_errors
from cyclegan.images.plugins import readable_formats
from cyclegan.images.tiff import TiffHeader, open_image
from cyclegan.prefetch import map_ahead
from cyclegan.text import printable

DECODE_THREADS = 2  # while the extractor computes


@dataclass
class PictureFolder:
    """A folder whose pictures are resized to squares of `size` pixels; None: not resized.

    Unreadable pictures are skipped and listed in `failed`.
    """

    folder: Path
    size: int | None = None
    failed: dict[Path, CycleganError] = field(default_factory=dict)
    resized: set[Path] = field(default_factory=set)  # pictures of another size

    @cached_property
    def paths(self) -> list[Path]:
        """Every picture, in a fixed order."""
        return list_pictures(self.folder)

    @cached_property
    def by_name(self) -> dict[PurePath, Path]:
        """The pictures by their path in the folder without its suffix."""
        by_name: dict[PurePath, Path] = {}
        for path in self.paths:
            other = by_name.setdefault(self.name_of(path), path)
            if other is not path:
                raise DataError(f"{printable(other)} and {printable(path)} differ only in their suffix.", "Rename one.")
        return by_name

    def name_of(self, path: Path) -> PurePath:
        """Return the name under which another folder holds the counterpart of a picture."""
        return path.relative_to(self.folder).with_suffix("")

    def pictures(self) -> Iterator[tuple[Path, Pixels]]:
        """Yield every picture that can be read."""
        for path, pixels in zip(self.paths, map_ahead(self.read, self.paths, workers=DECODE_THREADS), strict=True):
            if pixels is not None:
                yield path, pixels

    def read(self, path: Path) -> Pixels | None:
        """Return the pixels of a picture; None if it is damaged, which `failed` then says."""
        try:
            pixels = read_rgb(path)
        except PictureError as error:
            self.failed[path] = error
            return None
        if self.size and pixels.shape[:2] != (self.size, self.size):
            self.resized.add(path)
            return resized(pixels, self.size, self.size)
        return pixels


def read_rgb(path: Path) -> Pixels:
    """Read a picture as Pillow converts it to RGB, except for 16-bit grey, which Pillow would clip at 255."""
    with picture_errors(path), open_image(path, readable_formats(path.suffix)) as image:
        if not isinstance(image, TiffHeader) and image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            return np.array(image.convert("RGB"))
    return with_channels(with_bits(read_picture(path).pixels, 8), 3)
