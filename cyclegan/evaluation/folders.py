"""Folders of pictures as an evaluation sees them: 8 bits, in colour, all of one size.

They are read as all libraries of metrics do, so that numbers compare: levels as stored, not as a colour profile, EXIF's
orientation or transparency mean them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from cyclegan.data.folders import list_pictures
from cyclegan.errors import CycleganError, DataError, PictureError, printable
from cyclegan.images import Pixels, read_picture, resized, with_bits, with_channels
from cyclegan.images.decoding_errors import picture_errors
from cyclegan.images.plugins import readable_formats
from cyclegan.images.tiff import TiffHeader, open_image
from cyclegan.prefetch import map_ahead

THREADS = 2  # that decode while the extractor computes


@dataclass
class Folder:
    """A folder whose pictures are brought to squares of `size` pixels; 0: left as they are.

    Those that cannot be read are left out, and listed in `failed`.
    """

    place: Path
    size: int = 0
    failed: dict[Path, CycleganError] = field(default_factory=dict)
    resized: set[Path] = field(default_factory=set)  # those that came in another size

    @cached_property
    def paths(self) -> list[Path]:
        """Every picture's file, in a fixed order."""
        return list_pictures(self.place)

    @cached_property
    def by_name(self) -> dict[PurePath, Path]:
        """The files by what a translation keeps of their names: the path in the folder without its suffix."""
        named: dict[PurePath, Path] = {}
        for path in self.paths:
            other = named.setdefault(self.name_of(path), path)
            if other is not path:
                raise DataError(
                    f"{printable(other)} and {printable(path)} differ in nothing but their suffix.", "Rename one."
                )
        return named

    def name_of(self, path: Path) -> PurePath:
        """Return by what a picture is found in another folder."""
        return path.relative_to(self.place).with_suffix("")

    def pictures(self) -> Iterator[tuple[Path, Pixels]]:
        """Yield every picture that can be read."""
        for path, pixels in zip(self.paths, map_ahead(self.read, self.paths, workers=THREADS), strict=True):
            if pixels is not None:
                yield path, pixels

    def read(self, path: Path) -> Pixels | None:
        """Return a picture, or nothing if it is damaged, which is noted."""
        try:
            pixels = stored_levels(path)
        except PictureError as error:
            self.failed[path] = error
            return None
        if self.size and pixels.shape[:2] != (self.size, self.size):
            self.resized.add(path)
            return resized(pixels, self.size, self.size)
        return pixels


def stored_levels(path: Path) -> Pixels:
    """Read a picture as Pillow converts it to RGB; greys of 16 bits, which it would cut off at 255, as we do."""
    with picture_errors(path), open_image(path, readable_formats(path.suffix)) as image:
        if not isinstance(image, TiffHeader) and image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            return np.array(image.convert("RGB"))
    return with_channels(with_bits(read_picture(path).pixels, 8), 3)
