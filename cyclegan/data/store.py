"""Decoded pictures, in memory as far as it reaches, and beyond in a file that is mapped into memory."""

import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from cyclegan.errors import disk_errors
from cyclegan.images import Pixels

StoredArray = tuple[int, tuple[int, ...], np.dtype]  # in the store's file: first byte, shape, type


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
