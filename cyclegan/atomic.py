"""Writes files atomically: readers and power cuts find the old file or the new one, never a part of it."""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cyclegan.errors import DiskError, disk_errors
from cyclegan.text import printable

PARTIAL = ".partial"  # ends the name of a file that is still being written
PARTIALS = f".cyclegan-*{PARTIAL}"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` to write to; at the end sync it and rename it to `path`.

    If anything fails, `path` is as it was before and the other file is gone.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".cyclegan-", suffix=PARTIAL, dir=path.parent)
        os.close(handle)
        aside = Path(name)
        try:
            yield aside
            _sync(aside)
            aside.chmod(0o666 & ~UMASK)  # of a new file; `mkstemp` sets fewer permissions
            aside.replace(path)
            _sync_folder(path.parent)
        finally:
            aside.unlink(missing_ok=True)


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


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; Windows neither needs it nor can open a folder."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


UMASK = _umask()  # read once, before there are threads
