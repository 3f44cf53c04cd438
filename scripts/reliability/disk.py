"""A disk that loses power: what a file system may hold after a trace was cut, given what was flushed.

The model is the weakest that journaling file systems keep to. What an fsync of a file or folder covered is there. Of
the rest anything may be there or not, in any order: each new, moved and deleted name on its own (a rename is one
change), and of each file's new contents nothing, all, a first half, a half with zeros behind it, or one with zeros
before it. An fsync of a file flushes its contents and not its name, which is in its folder.
"""

import hashlib
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

from scripts.reliability.calls import UNKNOWN, Call

Tree = dict[str, bytes | None]  # by path: the contents of a file; None is a folder
ROOT = 0
CONTENTS = ("all", "nothing", "first half", "zeros behind", "zeros before")


@dataclass(frozen=True)
class Written:
    """Bytes written to a file at an offset."""

    node: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Resized:
    """A file cut, or extended by zeros."""

    node: int
    size: int


@dataclass(frozen=True)
class Named:
    """Names that change at once: in folder `node`, `name` becomes that of file `target`, or of none."""

    changes: tuple[tuple[int, str, int | None], ...]


@dataclass(frozen=True)
class Flushed:
    """An fsync of a file or folder; None: of everything."""

    node: int | None


Event = Written | Resized | Named | Flushed


class Disk:
    """Files and folders by number, and their names; folders are those that have a dictionary of names."""

    def __init__(self, tree: Tree) -> None:
        self.names: dict[int, dict[str, int]] = {ROOT: {}}
        self.contents: dict[int, bytearray] = {}
        self.last = ROOT
        for path, content in sorted(tree.items()):
            node = self.new(is_folder=content is None)
            if content is not None:
                self.contents[node][:] = content
            folder, name = self.find_folder(path)
            self.names[folder][name] = node

    def new(self, *, is_folder: bool) -> int:
        """Make a file or a folder that has no name yet; return its number."""
        self.last += 1
        if is_folder:
            self.names[self.last] = {}
        else:
            self.contents[self.last] = bytearray()
        return self.last

    def find(self, path: str) -> int | None:
        """Return the number of a file or folder; None if there is none."""
        node: int | None = ROOT
        for name in Path(path).parts:
            node = self.names.get(node, {}).get(name) if node is not None else None
        return node

    def find_folder(self, path: str) -> tuple[int, str]:
        """Return the number of a path's folder, and its last name."""
        folder = self.find(os.path.dirname(path))  # noqa: PTH120
        assert folder in self.names, path
        return folder, os.path.basename(path)  # noqa: PTH119

    def apply(self, event: Event) -> None:
        """Make a change."""
        if isinstance(event, Written):
            content = self.contents[event.node]
            content.extend(bytes(max(0, event.offset - len(content))))
            content[event.offset : event.offset + len(event.data)] = event.data
        elif isinstance(event, Resized):
            content = self.contents[event.node]
            content[event.size :] = bytes(max(0, event.size - len(content)))
        elif isinstance(event, Named):
            for folder, name, target in event.changes:
                self.names[folder].pop(name, None)
                if target is not None:
                    self.names[folder][name] = target

    def tree(self) -> Tree:
        """Return all that can be reached by a name."""
        return dict(self._walk(ROOT, ""))

    def _walk(self, folder: int, path: str) -> Iterator[tuple[str, bytes | None]]:
        for name, node in self.names[folder].items():
            if node in self.names:
                yield f"{path}{name}", None
                yield from self._walk(node, f"{path}{name}/")
            else:
                yield f"{path}{name}", bytes(self.contents[node])


class Recording:
    """The changes that a program made to a folder, from its system calls."""

    def __init__(self, calls: Iterable[Call], folder: Path, before: Tree) -> None:
        self.folder, self.before = folder, before
        self.disk = Disk(before)
        self.events: list[Event] = []
        self.offsets: dict[int, int | None] = {}  # by descriptor; None appends
        for call in calls:
            if call.result >= 0 and call.is_within(folder):
                self._add(call)
        if self.disk.tree() != read_tree(folder):
            raise RuntimeError("the trace does not explain the files that are there")

    def _add(self, call: Call) -> None:
        path = self._relative(call.path)
        if call.name in UNKNOWN:
            raise RuntimeError(f"{call.name} is not understood")
        if call.name == "openat":
            self._open(call, path)
        elif call.name in ("write", "writev", "pwrite64", "ftruncate", "lseek"):
            self._change(call, self.disk.find(path))
        elif call.name in ("rename", "renameat2"):
            (old, old_name), (new, new_name) = map(self.disk.find_folder, (path, self._relative(call.target)))
            self._record(Named(((old, old_name, None), (new, new_name, self.disk.find(path)))))
        elif call.name in ("unlink", "unlinkat", "rmdir"):
            self._record(Named(((*self.disk.find_folder(path), None),)))
        elif call.name == "mkdir":
            self._record(Named(((*self.disk.find_folder(path), self.disk.new(is_folder=True)),)))
        else:
            node = None if call.name in ("sync", "syncfs") else self.disk.find(path)
            self._record(Flushed(node))

    def _open(self, call: Call, path: str) -> None:
        self.offsets[call.result] = None if "O_APPEND" in call.arguments[2] else 0
        node = self.disk.find(path)
        if node is None:
            self._record(Named(((*self.disk.find_folder(path), self.disk.new(is_folder=False)),)))
        elif "O_TRUNC" in call.arguments[2] and self.disk.contents[node]:
            self._record(Resized(node, 0))

    def _change(self, call: Call, node: int | None) -> None:
        if node is None:  # it has no name any more
            return
        if call.name == "lseek":
            self.offsets[call.descriptor] = call.result
        elif call.name == "ftruncate":
            self._record(Resized(node, int(call.arguments[1])))
        else:
            offset = int(call.arguments[3]) if call.name == "pwrite64" else self.offsets[call.descriptor]
            if call.name != "pwrite64" and offset is not None:
                self.offsets[call.descriptor] = offset + call.result
            start = len(self.disk.contents[node]) if offset is None else offset
            self._record(Written(node, start, call.data))

    def _record(self, event: Event) -> None:
        self.events.append(event)
        self.disk.apply(event)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(self.folder / path, self.folder)

    def moments(self) -> Iterator[tuple[list[Event], Tree]]:
        """Yield the events before each moment at which power may fail, and what programs saw then.

        These are the moments before each flush, and the end: what may be left at any other may be left at the next of
        these, where the changes in between are lost.
        """
        live = self._empty_disk()
        for number in range(len(self.events) + 1):
            if number == len(self.events) or isinstance(self.events[number], Flushed):
                yield self.events[:number], live.tree()
            if number < len(self.events):
                live.apply(self.events[number])

    def states(self, events: Sequence[Event], limit: int, rng: random.Random) -> tuple[int, list[Tree]]:
        """Return how many choices there are of what is lost, and the states that all, or `limit` of them, leave."""
        names, files = unflushed(events)
        choices: list[Sequence[object]] = [(True, False)] * len(names) + [CONTENTS] * len(files)
        count = prod(map(len, choices))
        if count <= limit:
            return count, [self._state(events, names, files, choice) for choice in product(*choices)]
        everything, nothing = ([options[index] for options in choices] for index in (0, 1))
        chosen = [everything, nothing, *([rng.choice(options) for options in choices] for _ in range(limit - 2))]
        return count, [self._state(events, names, files, choice) for choice in chosen]

    def _state(
        self, events: Sequence[Event], names: Sequence[int], files: dict[int, list[int]], choice: Sequence[object]
    ) -> Tree:
        """Return what is on the disk after these events, but of the unflushed ones only what the choice says."""
        fates = dict(zip(files, choice[len(names) :], strict=True))
        lost = {index for index, is_there in zip(names, choice, strict=False) if not is_there}
        lost |= {index for node, fate in fates.items() if fate == "nothing" for index in files[node]}
        disk = self._empty_disk()
        for index, event in enumerate(events):
            if index not in lost:
                disk.apply(event)
        for node, fate in fates.items():
            tear(disk.contents[node], min(first_byte(events[index]) for index in files[node]), str(fate))
        return disk.tree()

    def _empty_disk(self) -> Disk:
        """Return the disk before the program began, with room for every file that it makes."""
        disk = Disk(self.before)
        for node in range(disk.last + 1, self.disk.last + 1):
            disk.new(is_folder=node in self.disk.names)
        return disk


def first_byte(event: Event) -> int:
    """Return the first byte of a file that an event changes."""
    return event.offset if isinstance(event, Written) else 0


def tear(content: bytearray, start: int, fate: str) -> None:
    """Lose a half of what was written behind `start`."""
    half = (start + len(content)) // 2
    if fate == "first half":
        del content[half:]
    elif fate == "zeros behind":
        content[half:] = bytes(len(content) - half)
    elif fate == "zeros before":
        content[start:half] = bytes(half - start)


def unflushed(events: Sequence[Event]) -> tuple[list[int], dict[int, list[int]]]:
    """Return which events no flush covers: changes of names, and by file those of its contents."""
    flushed: set[int | None] = set()
    names: list[int] = []
    files: dict[int, list[int]] = {}
    for index in reversed(range(len(events))):
        event = events[index]
        if isinstance(event, Flushed):
            flushed.add(event.node)
        elif None in flushed:
            continue
        elif isinstance(event, Named):
            if event.changes[-1][0] not in flushed:  # of a rename, the folder that it moves to
                names.insert(0, index)
        elif event.node not in flushed:
            files.setdefault(event.node, []).insert(0, index)
    return names, files


def read_tree(folder: Path) -> Tree:
    """Return everything in a folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


def write_tree(tree: Tree, folder: Path) -> None:
    """Write everything into a new folder."""
    folder.mkdir(parents=True)
    for path, content in sorted(tree.items()):
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


def digest(tree: Tree) -> str:
    """Return a hash of a tree."""
    parts = [(path, content and hashlib.sha256(content).hexdigest()) for path, content in sorted(tree.items())]
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()
