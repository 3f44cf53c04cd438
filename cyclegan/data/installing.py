"""A data set, from its address to its folder: fetched, checked, unpacked aside, counted, and only then named."""

import hashlib
import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomli_w
from filelock import FileLock, Timeout

from cyclegan.atomic import PARTIAL, write_text
from cyclegan.data.archives import unpack
from cyclegan.data.download import Progress, fetch
from cyclegan.data.folders import find_domains, list_pictures
from cyclegan.data.sets import DataSet, known_sets
from cyclegan.errors import DataError, DownloadError, disk_errors, printable

CHECKSUMS = "checksums.toml"  # beside the data sets: the SHA-256 of each archive that the table does not know


@dataclass(frozen=True)
class Installed:
    """A data set in its folder."""

    folder: Path
    pictures: Mapping[str, int]  # folder within it -> pictures
    new: bool  # false if it was there before


@dataclass(frozen=True)
class Watchers:
    """Who wants to know how far it is: each is told how much is done, of how much."""

    on_bytes: Progress = lambda _done, _all: None
    on_file: Callable[[int, int], object] = lambda _done, _all: None


NOBODY = Watchers()


def install(data_set: DataSet, home: Path, *, source: str = "", watchers: Watchers = NOBODY) -> Installed:
    """Bring a data set to `home / name`, from its own addresses or from `source`, an address or a file.

    What an interrupted download left is continued; an archive that fails a check is deleted, a user's file never.
    """
    folder = home / data_set.name
    if folder.exists():
        return _already(data_set, folder, source)
    given = _given(source)
    urls = () if given else _addresses(data_set, source)
    expected = data_set.sha256 or _recorded(home).get(data_set.name)
    aside = home / f".cyclegan-{data_set.name}{PARTIAL}"
    fetched, unpacked = aside / f"{data_set.name}.zip", aside / "unpacked"
    with _alone_in(aside):
        if not given:
            fetch(urls, fetched, on_progress=watchers.on_bytes)
        try:
            sha256 = _checked_sum(data_set, given or fetched, expected, home)
            unpack(given or fetched, unpacked, on_file=watchers.on_file)
            root = _root(unpacked)
            pictures = _counted(data_set, root, "the archive", "Try another place with --from.")
            _remember(data_set, sha256, home)
            with disk_errors(folder):
                root.rename(folder)
            fetched.unlink(missing_ok=True)
        except (DataError, DownloadError):
            fetched.unlink(missing_ok=True)
            raise
    return Installed(folder, pictures, new=True)


@contextmanager
def _alone_in(aside: Path) -> Iterator[None]:
    """Keep every other download of this set out; at the end leave nothing but what can be continued."""
    lock = FileLock(aside / "lock", timeout=0)
    with disk_errors(aside):
        aside.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout as error:
            raise DownloadError("this data set is being downloaded already.", "Wait for it, or stop it.") from error
    try:
        shutil.rmtree(aside / "unpacked", ignore_errors=True)  # half of a set, of a run that was killed
        yield
    finally:
        lock.release()
        shutil.rmtree(aside / "unpacked" if any(aside.glob("*.zip")) else aside, ignore_errors=True)


def _already(data_set: DataSet, folder: Path, source: str) -> Installed:
    """Return a data set that is there; whether another archive of the same name would be the same, nobody knows."""
    if source and data_set.name not in known_sets():
        raise DataError(f"there is a {printable(folder)} already.", "Move it away, or choose another name.")
    hint = "Move it away and run the same command again."
    return Installed(folder, _counted(data_set, folder, f"{printable(folder)} is there already, but", hint), new=False)


def _given(source: str) -> Path | None:
    """Return the file that the user names as a source; nothing if it is an address, or if there is none."""
    if not source or re.match("https?://", source, re.IGNORECASE):
        return None
    if not Path(source).is_file():
        raise DataError(f"there is no file {printable(source)}.", "Name a zip archive, or an address: https://…")
    return Path(source)


def _addresses(data_set: DataSet, source: str) -> tuple[str, ...]:
    urls = (source,) if source else data_set.urls
    if not urls:
        raise DownloadError(f"nobody serves {data_set.name}; its licence: {data_set.licence}.", data_set.instead)
    return urls


def _checked_sum(data_set: DataSet, archive: Path, expected: str | None, home: Path) -> str:
    """Return an archive's SHA-256, which must be the one that is known, or else that was recorded the first time."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != (expected or found):
        raise DownloadError(
            f"this is not the archive of {data_set.name} that is known: its SHA-256 is {found}, not {expected}.",
            "Try again, or another place with --from; an archive of your own needs a name of its own."
            if data_set.sha256
            else f"If it was meant to change, delete its line in {printable(home / CHECKSUMS)}.",
        )
    return found


def _remember(data_set: DataSet, sha256: str, home: Path) -> None:
    if data_set.sha256 is None:
        write_text(home / CHECKSUMS, tomli_w.dumps(_recorded(home) | {data_set.name: sha256}))


def _recorded(home: Path) -> dict[str, str]:
    """Return the sums of archives that came before, by the names of their sets."""
    path = home / CHECKSUMS
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (ValueError, RecursionError) as error:
        raise DataError(f"{printable(path)} is not valid TOML: {error}.", "Correct it, or delete it.") from error


def _root(unpacked: Path) -> Path:
    """Return the folder that is the data set: many archives hold a single folder with everything in it."""
    places = list(unpacked.iterdir())
    return places[0] if len(places) == 1 and places[0].is_dir() and not find_domains(unpacked) else unpacked


def _counted(data_set: DataSet, folder: Path, what: str, hint: str) -> Mapping[str, int]:
    """Return how many pictures each folder holds, which must be as many as are known to be there."""
    pictures = Counter(path.parent.relative_to(folder).as_posix() for path in list_pictures(folder, allow_empty=True))
    wrong = [
        f"{pictures[place]:,} pictures in {place}, not {count:,}"
        for place, count in data_set.counts.items()
        if pictures[place] != count
    ]
    if wrong or not pictures:
        raise DataError(f"{what} holds {'; '.join(wrong) or 'no pictures'}.", hint)
    return pictures
