"""Installation of a data set: download, check, unpack in a staging folder, count the pictures, then rename."""

import hashlib
import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tomli_w
from filelock import FileLock, Timeout

from cyclegan.atomic import PARTIAL, make_folder, sync_folder, sync_tree, write_text
from cyclegan.data.archives import unpack
from cyclegan.data.download import OnProgress, fetch
from cyclegan.data.folders import find_domains, list_pictures
from cyclegan.data.sets import DataSet, known_sets
from cyclegan.errors import DataError, DownloadError, disk_errors
from cyclegan.text import printable

Used = TypeVar("Used")

CHECKSUMS = "checksums.toml"  # beside the data sets: SHA-256 of archives for which sets.toml has none


@dataclass(frozen=True)
class InstalledSet:
    """A data set in its folder."""

    folder: Path
    pictures: Mapping[str, int]  # by folder within it
    new: bool  # False: it was installed before


@dataclass(frozen=True)
class ProgressCallbacks:
    """Functions that get the progress: how much is done, of how much."""

    on_bytes: OnProgress = lambda _done, _total: None
    on_file: Callable[[int, int], object] = lambda _done, _total: None


NO_PROGRESS = ProgressCallbacks()


def install(
    data_set: DataSet, home: Path, *, source: str = "", progress: ProgressCallbacks = NO_PROGRESS
) -> InstalledSet:
    """Install a data set in `home / name`, from its own URLs or from `source`, a URL or a file.

    An interrupted download is resumed; an archive that fails a check is deleted, a user's file never.
    """
    folder = home / data_set.name
    staging = home / f".cyclegan-{data_set.name}{PARTIAL}"
    if folder.exists():
        shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed before it deleted the archive
        return _check_installed(data_set, folder, source)
    local_file = _local_file(source)
    urls = () if local_file else _urls(data_set, source)
    expected = data_set.sha256 or _recorded_checksums(home).get(data_set.name)
    archive, unpacked = local_file or staging / f"{data_set.name}.zip", staging / "unpacked"

    def unpack_checked() -> tuple[str, Path, Mapping[str, int]]:
        shutil.rmtree(unpacked, ignore_errors=True)  # of a process that was killed
        sha256 = _check_sha256(data_set, archive, expected, home)
        unpack(archive, unpacked, on_file=progress.on_file)
        root = _root(unpacked)
        return sha256, root, _count_pictures(data_set, root, "the archive", "Try another source with --from.")

    with _staging_folder(staging):
        sha256, root, pictures = (
            unpack_checked() if local_file else _download(urls, archive, progress.on_bytes, unpack_checked)
        )
        _record_checksum(data_set, sha256, home)
        with disk_errors(folder):
            sync_tree(root)
            root.rename(folder)
            sync_folder(home)
        if not local_file:
            archive.unlink(missing_ok=True)
    return InstalledSet(folder, pictures, new=True)


def _download(urls: Sequence[str], archive: Path, on_progress: OnProgress, use: Callable[[], Used]) -> Used:
    """Download an archive and return what `use` makes of it; an archive that fails there is deleted.

    If a part of it was there before, which a power cut may have damaged, all is downloaded once more.
    """
    was_resumed = archive.exists()
    fetch(urls, archive, on_progress=on_progress)
    try:
        return use()
    except (DataError, DownloadError):
        archive.unlink(missing_ok=True)
        if not was_resumed:
            raise
    return _download(urls, archive, on_progress, use)


@contextmanager
def _staging_folder(staging: Path) -> Iterator[None]:
    """Lock the staging folder of a data set; at the end leave only a partial archive."""
    lock = FileLock(staging / "lock", timeout=0)
    with disk_errors(staging):
        make_folder(staging)
        try:
            lock.acquire()
        except Timeout as error:
            raise DownloadError("this data set is being downloaded already.", "Wait for it, or stop it.") from error
    try:
        yield
    finally:
        lock.release()
        shutil.rmtree(staging / "unpacked" if any(staging.glob("*.zip")) else staging, ignore_errors=True)


def _check_installed(data_set: DataSet, folder: Path, source: str) -> InstalledSet:
    """Return a data set that is installed; an archive of the user's own could differ from it, which is an error."""
    if source and data_set.name not in known_sets():
        raise DataError(f"there is a {printable(folder)} already.", "Move it away, or choose another name.")
    hint = "Move it away and run the same command again."
    pictures = _count_pictures(data_set, folder, f"{printable(folder)} is there already, but", hint)
    return InstalledSet(folder, pictures, new=False)


def _local_file(source: str) -> Path | None:
    """Return a source that is a file; None if it is a URL, or empty."""
    if not source or re.match("https?://", source, re.IGNORECASE):
        return None
    if not Path(source).is_file():
        raise DataError(f"there is no file {printable(source)}.", "Name a zip archive, or a URL: https://…")
    return Path(source)


def _urls(data_set: DataSet, source: str) -> tuple[str, ...]:
    urls = (source,) if source else data_set.urls
    if not urls:
        raise DownloadError(f"{data_set.name} cannot be downloaded; its licence: {data_set.licence}.", data_set.instead)
    return urls


def _check_sha256(data_set: DataSet, archive: Path, expected: str | None, home: Path) -> str:
    """Return the SHA-256 of an archive; one that differs from the expected is an error."""
    with archive.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != (expected or sha256):
        raise DownloadError(
            f"this is another archive than the known one of {data_set.name}: its SHA-256 is {sha256}, not {expected}.",
            "Try again, or another source with --from; an archive of your own needs another name."
            if data_set.sha256
            else f"If this change is intended, delete its line in {printable(home / CHECKSUMS)}.",
        )
    return sha256


def _record_checksum(data_set: DataSet, sha256: str, home: Path) -> None:
    if data_set.sha256 is None:
        write_text(home / CHECKSUMS, tomli_w.dumps(_recorded_checksums(home) | {data_set.name: sha256}))


def _recorded_checksums(home: Path) -> dict[str, str]:
    """Return the SHA-256 of earlier archives by the names of their data sets."""
    path = home / CHECKSUMS
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (ValueError, RecursionError) as error:
        raise DataError(f"{printable(path)} is not valid TOML: {error}.", "Correct it, or delete it.") from error


def _root(unpacked: Path) -> Path:
    """Return the folder of the data set: many archives hold a single folder with everything in it."""
    entries = list(unpacked.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() and not find_domains(unpacked) else unpacked


def _count_pictures(data_set: DataSet, folder: Path, subject: str, hint: str) -> Mapping[str, int]:
    """Return the number of pictures in each folder; numbers that differ from the known ones are an error."""
    pictures = Counter(path.parent.relative_to(folder).as_posix() for path in list_pictures(folder, allow_empty=True))
    differences = [
        f"{pictures[part]:,} pictures in {part}, not {count:,}"
        for part, count in data_set.counts.items()
        if pictures[part] != count
    ]
    if differences or not pictures:
        raise DataError(f"{subject} holds {'; '.join(differences) or 'no pictures'}.", hint)
    return pictures
