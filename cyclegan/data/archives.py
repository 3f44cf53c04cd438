"""Zip archives from unknown sources: unpacked into one folder only, within limits of size and number."""

import errno
import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclegan.data.folders import is_hidden
from cyclegan.errors import DataError, DiskError, disk_errors
from cyclegan.text import printable

MAX_FILES = 1_000_000
MAX_EXPANSION = 50  # times the archive's size; zip bombs expand more, pictures hardly at all
MAX_NAME = 1000  # characters of a path; Windows allows 260
ALWAYS_ALLOWED_BYTES = 64 * 2**20  # unpacked, however small the archive
FORBIDDEN_ON_WINDOWS = str.maketrans(dict.fromkeys(':<>|"?*', "_"))  # some names in the authors' data sets have colons
DAMAGE_ERRORS = (  # that zipfile raises; offsets in a damaged archive can be out of any range
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, OverflowError
)  # fmt: skip
COMPRESSION_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may need much memory

# by the number of a folder and a case-folded name in it: its own number, the name as written, whether it is a folder
Paths = dict[tuple[int, str], tuple[int, str, bool]]


def unpack(archive: Path, folder: Path, *, on_file: Callable[[int, int], object] = lambda _done, _total: None) -> None:
    """Unpack a zip archive into a new folder, without hidden files; names become valid on every system.

    Every entry is checked before the first is written: one unsafe entry makes the whole archive an error.
    """
    with _open(archive) as opened:
        entries = opened.infolist()
        _check_limits(entries, archive.stat().st_size)
        _check_names(entries)
        files = [entry for entry in entries if not (entry.is_dir() or _is_hidden(entry))]
        with disk_errors(folder):
            folder.mkdir(parents=True)
            _check_free_space(folder, sum(entry.file_size for entry in files))
        for done, entry in enumerate(files, start=1):
            _write(opened, entry, folder.joinpath(*_parts(entry)))
            on_file(done, len(files))


@contextmanager
def _open(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; damage found while it is open raises `DataError`."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except DAMAGE_ERRORS as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # the disk's; EINVAL is an offset
            raise DiskError(f"the archive cannot be read: {error.strerror}.", "Check the disk.") from error
        raise DataError(
            "the archive is no zip file, or is damaged.", "Download it again, or from another source with --from."
        ) from error


def _check_limits(entries: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_FILES or size > max(ALWAYS_ALLOWED_BYTES, MAX_EXPANSION * archive_bytes):
        raise DataError(
            f"the archive would unpack to {len(entries):,} files of {size:,} bytes in all, "
            "far more than pictures would.",
            "Nothing was unpacked; check its source.",
        )


def _check_free_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DiskError(
            f"no room left on the disk for {printable(folder)}: {size:,} bytes are needed, {free:,} are free.",
            "Free some space and run it again.",
        )


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    """Raise an error for an entry with an unsafe name or type, and for two with the same name on some system."""
    paths: Paths = {}
    for entry in entries:
        if reason := _unsafe(entry) or _collision(entry, paths):
            raise DataError(
                f"the archive holds {printable(entry.orig_filename[:MAX_NAME])!r}, {reason}.",
                "Nothing was unpacked; check its source.",
            )


def _unsafe(entry: zipfile.ZipInfo) -> str:
    """Return why an entry is unsafe; an empty string if it is safe."""
    name = entry.orig_filename.removesuffix("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or re.match("[A-Za-z]:", name) or any(character in name for character in "\\\0"):
        return "not a relative path"
    if len(name) > MAX_NAME:
        return "a path that is too long"
    if any(part != part.rstrip(". ") or not part for part in name.split("/")):
        return "a path out of the folder, or a name that is invalid on some system"
    if not name.isprintable():
        return "a name with control characters"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    if entry.flag_bits & 1:
        return "which is encrypted"
    return "" if entry.compress_type in COMPRESSION_METHODS else "which has an unusual compression"


def _collision(entry: zipfile.ZipInfo, paths: Paths) -> str:
    """Return why an entry would overwrite another on a case-insensitive system; an empty string if it does not."""
    parts, folder = _parts(entry), 0
    for depth, part in enumerate(parts, start=1):
        new = (part, depth < len(parts) or entry.is_dir())
        count, key = len(paths), (folder, unicodedata.normalize("NFC", part).casefold())
        folder, *old = paths.setdefault(key, (count + 1, *new))
        if tuple(old) != new or (len(paths) == count and not new[1]):
            return f"which collides with {printable('/'.join([*parts[: depth - 1], str(old[0])]))!r}"
    return ""


def _parts(entry: zipfile.ZipInfo) -> list[str]:
    """Return the folders and the name of the unpacked file."""
    return entry.filename.translate(FORBIDDEN_ON_WINDOWS).removesuffix("/").split("/")


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    """Return whether a file is hidden, or added by macOS."""
    return any(is_hidden(part) for part in entry.filename.split("/"))


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    with opened.open(entry) as source, disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            shutil.copyfileobj(source, target, 2**20)
