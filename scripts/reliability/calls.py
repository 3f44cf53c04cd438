"""Reads what `strace` wrote: the system calls that change files."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Everything that changes names or contents of files, and what makes changes durable; openat creates and truncates.
CHANGING = (
    *(
        "openat",
        "write",
        "writev",
        "pwrite64",
        "ftruncate",
        "rename",
        "renameat2",
        "unlink",
        "unlinkat",
        "mkdir",
        "rmdir",
    ),
    *("fsync", "fdatasync", "sync", "syncfs"),
)
# Changes that are not understood: with one of them a trace is no use.
UNKNOWN = (
    *("open", "creat", "openat2", "pwritev", "pwritev2", "truncate", "fallocate", "copy_file_range"),
    *("sendfile", "splice", "link", "linkat", "symlink", "symlinkat", "renameat", "mkdirat", "sync_file_range"),
)
TRACE = ("-y", "-xx", "-s", "100000000", "-e", f"trace={','.join((*CHANGING, *UNKNOWN, 'lseek'))}", "-e", "signal=none")

COMPLETE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)", re.DOTALL)
UNFINISHED, RESUMED = " <unfinished ...>", re.compile(r"<\.\.\. \w+ resumed>")
DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)<(.*?)>(?:\(deleted\))?")

VECTOR = re.compile(r'iov_base="(.*?)"')


@dataclass(frozen=True)
class Call:
    """A system call: its thread, arguments as strace writes them, result, and whether strace made it fail or wait."""

    thread: int
    name: str
    arguments: tuple[str, ...]
    result: int
    injected: bool

    @property
    def descriptor(self) -> int:
        """The number of the open file in the first argument."""
        match = DESCRIPTOR.fullmatch(self.arguments[0])
        assert match
        return int(match[1])

    @property
    def path(self) -> Path:
        """The file that the call is about; a relative one is in the folder of the process."""
        if self.name in ("openat", "unlinkat", "renameat2"):
            return descriptor_path(self.arguments[0]) / text(self.arguments[1])
        if self.name in ("rename", "unlink", "mkdir", "rmdir", "chmod"):
            return Path(text(self.arguments[0]))
        return descriptor_path(self.arguments[0])

    @property
    def target(self) -> Path:
        """The new name in a rename."""
        if self.name == "renameat2":
            return descriptor_path(self.arguments[2]) / text(self.arguments[3])
        return Path(text(self.arguments[1]))

    @property
    def data(self) -> bytes:
        """The bytes that were written."""
        parts = VECTOR.findall(", ".join(self.arguments)) if self.name == "writev" else [self.arguments[1].strip('"')]
        return b"".join(map(raw, parts))[: self.result]

    def is_within(self, folder: Path) -> bool:
        """Tell whether the call is about a file in a folder, in which the process runs, or about every file."""
        return self.name == "sync" or Path(os.path.normpath(folder / self.path)).is_relative_to(folder)


def read_calls(log: Path) -> Iterator[Call]:
    """Yield the calls of a log in the order in which they returned."""
    unfinished: dict[str, str] = {}
    for line in log.read_text(encoding="ascii").splitlines():
        thread, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if rest.endswith(UNFINISHED):
            unfinished[thread] = rest.removesuffix(UNFINISHED)
            continue
        if resumed := RESUMED.match(rest):
            rest = unfinished.pop(thread) + rest[resumed.end() :]
        match = COMPLETE.fullmatch(rest)
        if match and match[3] != "?":  # else an exit, or a call that the end of the trace cut
            arguments = tuple(match[2].split(", ")) if match[2] else ()
            yield Call(
                int(thread), match[1], arguments, int(match[3]), "(INJECTED)" in match[4] or "(DELAYED)" in match[4]
            )


def descriptor_path(argument: str) -> Path:
    """Return the path of an open file; that of a pipe or a socket is none."""
    match = DESCRIPTOR.fullmatch(argument)
    path = Path(os.fsdecode(raw(match[2]))) if match else Path()
    return path if path.is_absolute() else Path(os.devnull)


def text(argument: str) -> str:
    """Return a path as it was passed."""
    return os.fsdecode(raw(argument.strip('"')))


def raw(argument: str) -> bytes:
    r"""Return the bytes of a string that strace wrote as \x61\x62."""
    return bytes.fromhex(argument.replace("\\x", ""))
