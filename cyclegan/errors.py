"""Everything that can go wrong for a user, and what to do about it.

    CycleganError                exit status 2: the user can fix it
    ├── UsageError               options or arguments that contradict each other, or that are missing
    ├── ConfigError              a setting that is unknown, or of a wrong type or value
    ├── DataError                files or folders that cannot be used as data
    ├── DownloadError            a file that cannot be fetched, or is not the one that is known
    ├── PictureError             one picture that cannot be read or written; the others go on
    │   └── UnreadableError      why, before the picture's name is known
    ├── RunError                 a run folder that cannot be continued or read
    ├── ModelFileError           a model file that cannot be used
    ├── DeviceError              a device that is not there, or too small
    ├── AddressError             an address that the page cannot be served at
    ├── RankLostError            another process of the same training is gone
    ├── DiskError                no room, or no permission, where we must write
    ├── MissingExtraError        an optional library that is not installed
    └── TrainingDivergedError    exit status 3: training had to stop

Every error is one sentence saying what is wrong and one, the hint, saying what to do.
"""

import copy
import errno
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Self

from cyclegan.text import printable

MEMORY_WORDS = ("out of memory", "allocate memory", "not enough memory", "insufficient memory")  # of allocators


class CycleganError(Exception):
    """Something the user can fix: `str(error)` says what is wrong, `error.hint` what to do.

    With a path, the message is what is wrong with that file ("is empty."), and `str(error)` begins with its name.
    """

    def __init__(self, message: str, hint: str = "", path: Path | str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = path

    def __str__(self) -> str:
        return self.message if self.path is None else f"{printable(self.path)} {self.message}"

    def with_path(self, path: Path | str | None) -> Self:
        """Return the same error of a file that users know by another path."""
        error = copy.copy(self)
        error.path = path
        return error


class UsageError(CycleganError):
    """Options or arguments that contradict each other, or one that is missing."""


class ConfigError(CycleganError):
    """A setting that is unknown, or of a wrong type or value."""


class DataError(CycleganError):
    """Files or folders that cannot be used as data."""


class DownloadError(CycleganError):
    """A file that cannot be fetched, or is not the one that is known."""


class PictureError(CycleganError):
    """One picture that cannot be read or written; the others go on."""


class UnreadableError(PictureError):
    """Why a picture cannot be read ("its ..."), raised where its name is not known; `picture_errors` adds it."""


class RunError(CycleganError):
    """A run folder that cannot be continued or read."""


class ModelFileError(CycleganError):
    """A model file that cannot be used."""


class DeviceError(CycleganError):
    """A device that is not there, or too small."""


class AddressError(CycleganError):
    """An address that the page cannot be served at."""


class RankLostError(CycleganError):
    """Another process of the same training is gone."""


class DiskError(CycleganError):
    """No room, or no permission, where we must write."""


class MissingExtraError(CycleganError):
    """An optional library that is not installed."""


class TrainingDivergedError(CycleganError):
    """Training had to stop: by numbers that are not finite, or by a diagnosis with `schedule.stop_on_diagnosis`."""


def require_extra(module: str, extra: str) -> ModuleType:
    """Import an optional library, or say which extra brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"this needs {module}, which is not installed.",
            f"In the clone of cyclegan: pip install -c constraints.txt -e '.[{extra}]'",
        ) from error


def lacks_memory(error: Exception) -> bool:
    """Tell whether this is an allocator's error; not every library has a class for it."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in MEMORY_WORDS)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a system error while `path` is written into a `DiskError`."""
    try:
        yield
    except OSError as error:
        reason = f"cannot be written: {error.strerror or error}."
        hint = "Check the disk."
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason, hint = "cannot be written: no room left on the disk.", "Free some space and run it again."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "Choose another place."
        raise DiskError(reason, hint, path) from error


def report_hint() -> str:
    """Write the traceback of the error being handled into a file of its own, and ask for a report with it."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="cyclegan-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            traceback.print_exc(file=file)
    except OSError:  # a full disk must not hide the error itself
        return "Please report it; its traceback could not be written."
    return f"Please report it with what is in {file.name}"
