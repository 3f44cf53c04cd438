"""Unpacking zip archives that may come from anybody: nothing is written outside the folder, nor without bounds."""

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
from cyclegan.errors import DataError, DiskError, disk_errors, printable

MOST_FILES = 1_000_000
MOST_GROWTH = 50  # times the archive's size; pictures hardly shrink in an archive, bombs do
SMALL = 64 * 2**20  # bytes that any archive may unpack to
FORBIDDEN = str.maketrans(dict.fromkeys(':<>|"?*', "_"))  # on Windows; photographs of the CycleGAN authors have colons
DAMAGE = (  # as what reads archives says it; entries may claim to lie where no file has a place
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, OverflowError
)  # fmt: skip
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that need little memory, whatever the archive says


def unpack(archive: Path, folder: Path, *, on_file: Callable[[int, int], object] = lambda _done, _all: None) -> None:
    """Unpack a zip archive into a new folder; hidden files in it are left out, names become valid on every system.

    Every entry is checked before the first is written: one that is hostile condemns the archive.
    """
    with _opened(archive) as opened:
        entries = opened.infolist()
        _check_bounds(entries, archive.stat().st_size)
        _check_names(entries)
        wanted = [entry for entry in entries if not (entry.is_dir() or _is_hidden(entry))]
        with disk_errors(folder):
            folder.mkdir(parents=True)
            _check_room(folder, sum(entry.file_size for entry in wanted))
        for done, entry in enumerate(wanted, start=1):
            _write(opened, entry, folder.joinpath(*_parts(entry)))
            on_file(done, len(wanted))


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; damage met while it is open is a sentence."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except DAMAGE as error:
        raise DataError(
            "the archive is no zip file, or is damaged.", "Get it again, or from another place with --from."
        ) from error


def _check_bounds(entries: list[zipfile.ZipInfo], packed: int) -> None:
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or size > max(SMALL, MOST_GROWTH * packed):
        raise DataError(
            f"the archive would unpack to {len(entries):,} files of {size:,} bytes in all, "
            "far more than pictures would.",
            "Nothing of it is unpacked; check where it came from.",
        )


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DiskError(
            f"no room on the disk for {printable(folder)}: {size:,} bytes are needed, {free:,} are free.",
            "Free some space and run it again.",
        )


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive with an entry that leads elsewhere, is no plain file, or is another one's on some system."""
    seen: dict[str, tuple[str, bool]] = {}  # as a system without case has it -> as written, whether a folder
    for entry in entries:
        if reason := _hostile(entry) or _collision(entry, seen):
            raise DataError(
                f"the archive holds {printable(entry.orig_filename)!r}, {reason}.",
                "Nothing of it is unpacked; check where it came from.",
            )


def _hostile(entry: zipfile.ZipInfo) -> str:
    """Return what is wrong with an entry by itself."""
    name = entry.orig_filename.removesuffix("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.startswith("/") or re.match("[A-Za-z]:", name) or any(character in name for character in "\\\0"):
        return "which is no path within a folder"
    if any(part != part.rstrip(". ") or not part for part in name.split("/")):
        return "which leads out of the folder or is no name on every system"
    if not name.isprintable():
        return "a name with control characters"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    if entry.flag_bits & 1:
        return "which is encrypted"
    return "" if entry.compress_type in METHODS else "which is compressed in an unusual way"


def _collision(entry: zipfile.ZipInfo, seen: dict[str, tuple[str, bool]]) -> str:
    """Return whether an entry would be written over, or into, another one where case does not count."""
    parts = _parts(entry)
    for depth in range(1, len(parts) + 1):
        path = "/".join(parts[:depth])
        new = (path, depth < len(parts) or entry.is_dir())
        key = unicodedata.normalize("NFC", path).casefold()
        if (old := seen.setdefault(key, new)) != new or (old is not new and not new[1]):
            return f"which collides with {printable(old[0])!r}"
    return ""


def _parts(entry: zipfile.ZipInfo) -> list[str]:
    """Return the folders and the name that an entry is unpacked to."""
    return entry.filename.translate(FORBIDDEN).removesuffix("/").split("/")


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    """Tell whether a file is one that listings pass over, such as what macOS adds."""
    return any(is_hidden(part) for part in entry.filename.split("/"))


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    with opened.open(entry) as source, disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            shutil.copyfileobj(source, target, 2**20)
