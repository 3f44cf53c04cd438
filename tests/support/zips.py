"""Zip archives of data sets, good ones and others."""

import io
import zipfile
from collections.abc import Iterable

import numpy as np
from PIL import Image


def picture(seed: int) -> bytes:
    """Return a small PNG that does not shrink in an archive."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def zip_of(entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """Return an archive of these entries, whatever they are called."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


def zipped_set(top: str = "set/", *, each: int = 2) -> bytes:
    """Return the archive of a data set of `each` pictures in each of its folders."""
    folders = ("trainA", "trainB", "testA", "testB")
    return zip_of((f"{top}{folder}/{n}.png", picture(n)) for folder in folders for n in range(each))
