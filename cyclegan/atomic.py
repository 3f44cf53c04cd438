"""Writes files atomically: readers and power cuts find the old file or the new one, never a part of it."""

import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from cyclegan.errors import DiskError, disk_errors
from cyclegan.text import printable

PARTIAL = ".partial"  # ends the name of a file that is still being written
PARTIALS = f".cyclegan-*{PARTIAL}"
SYNC_THREADS = 8


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; at the end sync it and rename it to `path`.

    If anything fails, `path` is as it was before and the other file is gone.
    """
    with disk_errors(path):
        make_folder(path.parent)
        handle, name = tempfile.mkstemp(prefix=".cyclegan-", suffix=PARTIAL, dir=path.parent)
        os.close(handle)
        aside = Path(name)
        try:
            yield aside
            sync_file(aside)
            aside.chmod(0o666 & ~UMASK)  # of a new file; `mkstemp` sets fewer permissions
            aside.replace(path)
            sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, as far as they are missing, so that a power cut loses none of them."""
    missing = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def is_file_name(name: str) -> bool:
    """Tell whether `name` can be one component of a path, so that it leads to no other folder."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def file_suffix(path: Path) -> str:
    """Return a path's suffix in lower case; "" for an unlikely one, as in `run1.5` or `photos.2024`."""
    suffix = path.suffix.lower()
    return suffix if re.fullmatch(r"\.(?=\d*[a-z])[a-z0-9]{2,6}|\.safetensors", suffix) else ""


def require_writable(folder: Path) -> None:
    """Raise an error unless files can be written to a folder, which need not exist yet; nothing remains there."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=".cyclegan-", suffix=PARTIAL, dir=folder):
            pass
    except OSError as error:
        file = next((path for path in (folder, *folder.parents) if os.path.lexists(path) and not path.is_dir()), None)
        reason = f"{printable(file)} is a file" if file else error.strerror or printable(error)
        raise DiskError(
            f"{printable(folder)} cannot be written to: {reason}.", "Choose another place with --output."
        ) from error
    finally:
        for path in missing:
            with suppress(OSError):
                path.rmdir()


def refuse_to_overwrite(*paths: Path) -> None:
    """Raise an error if one of the paths exists."""
    for path in paths:
        if os.path.lexists(path):
            raise DiskError(
                f"{printable(path)} exists already.", "Write --overwrite to replace it, or choose another --output."
            )


def check_new_file(path: Path, *, overwrite: bool) -> None:
    """Raise an error if a file cannot be written, or exists and may not be replaced."""
    if path.is_dir():
        raise DiskError(f"{printable(path)} cannot be written: it is a folder.", "Name a file with --output.")
    if not overwrite:
        refuse_to_overwrite(path)
    require_writable(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def remove_partials(folder: Path, *, idle: float = 0.0) -> None:
    """Delete partial files of killed writes in `folder` that are unchanged for `idle` seconds."""
    with suppress(OSError):  # a folder that cannot be read
        for leftover in folder.glob(PARTIALS):
            with suppress(OSError):
                if time.time() - leftover.stat().st_mtime >= idle:
                    leftover.unlink()


def sync_file(path: Path) -> None:
    """Make the contents of a file durable; its name is durable once its folder is."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: new, changed and deleted ones; Windows cannot, and does it on its own."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make everything in a folder durable, in threads: a disk flushes many files in little more time than one."""
    paths = list(folder.rglob("*"))
    with ThreadPoolExecutor(SYNC_THREADS) as pool:
        deque(pool.map(sync_file, (path for path in paths if path.is_file())), maxlen=0)  # raises the first error
    for path in (*(path for path in paths if path.is_dir()), folder):
        sync_folder(path)


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


UMASK = _umask()  # read once, before there are threads
