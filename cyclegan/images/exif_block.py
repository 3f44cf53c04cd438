"""The bytes of EXIF as directories of tags that can be changed in place, so that all offsets stay valid.

The layout is TIFF's (TIFF 6.0, section 2). Blocks come from untrusted files: every offset and count is checked, and
every directory is visited once.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

EXIF_HEADER = b"Exif\0\0"
ASCII, SHORT, LONG, RATIONAL, DOUBLE = 2, 3, 4, 5, 12  # types
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
POINTERS = (0x8769, 0x8825, 0xA005)  # to the directories of EXIF, GPS and interoperability
MAX_DIRECTORIES = 8  # that are followed; EXIF has four, and one for a thumbnail
MAX_ENTRIES = 4096  # of a directory; cameras write some dozens
MAX_NUMBERS = 65_536  # that are read of one entry, such as starts of strips
Span = tuple[int, int]  # start and end in the block


class ExifError(ValueError):
    """A block, or a directory in it, that cannot be read."""


@dataclass(frozen=True)
class IfdEntry:
    """One tag of a directory, at `position`; its value lies at `start`, and `end` may be outside the block."""

    position: int
    tag: int
    type: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class Directory:
    """The entries of a directory in their order, and the offset of the next directory, 0 for none."""

    start: int
    end: int
    entries: list[IfdEntry]
    next: int

    def outside_values(self) -> list[Span]:
        """Return the spans of the values that do not fit into their entries."""
        return [(entry.start, entry.end) for entry in self.entries if entry.start != entry.position + 8]


class Block:
    """A block of EXIF; its header ("Exif") is optional and not part of `data`."""

    def __init__(self, exif: bytes) -> None:
        while exif.startswith(EXIF_HEADER):
            exif = exif[len(EXIF_HEADER) :]
        self.data = bytearray(exif)
        if exif[:2] not in (b"II", b"MM") or len(exif) < 8:
            raise ExifError("it does not begin as EXIF does")
        self.order = "<" if exif[:2] == b"II" else ">"

    def __bytes__(self) -> bytes:
        return EXIF_HEADER + bytes(self.data)

    def unpack(self, layout: str, offset: int) -> tuple[int, ...]:
        """Unpack numbers (`struct`'s layout) at an offset."""
        try:
            return struct.unpack_from(self.order + layout, self.data, offset)
        except struct.error as error:
            raise ExifError("an offset leads out of the block") from error

    def pack(self, layout: str, offset: int, *numbers: int) -> None:
        """Pack numbers at an offset."""
        struct.pack_into(self.order + layout, self.data, offset, *numbers)

    def first(self) -> Directory:
        """Return the main directory, IFD0."""
        return self.directory(self.unpack("I", 4)[0])

    def directory(self, start: int) -> Directory:
        """Return the directory at an offset."""
        end = self.end_of_entries(start)
        entries = [self._entry(position) for position in range(start + 2, end, 12)]
        following = self.unpack("I", end)[0] if end + 4 <= len(self.data) else 0
        return Directory(start, min(end + 4, len(self.data)), entries, following)

    def end_of_entries(self, start: int) -> int:
        """Return the offset behind the entries of the directory at an offset."""
        count = self.unpack("H", start)[0] if start >= 8 else 0
        end = start + 2 + 12 * count
        if not 0 < count <= MAX_ENTRIES or end > len(self.data):
            raise ExifError("a directory is cut off")
        return end

    def _entry(self, position: int) -> IfdEntry:
        tag, kind, count, offset = self.unpack("HHII", position)
        size = TYPE_BYTES.get(kind, 0) * count
        start = position + 8 if size <= 4 else offset
        return IfdEntry(position, tag, kind, count, start, start + size)

    def directories(self) -> Iterator[Directory]:
        """Yield IFD0 and the directories that it points to, each once; invalid pointers are passed over."""
        queue, visited = [self.first()], {self.first().start}
        while queue:
            directory = queue.pop(0)
            yield directory
            for start in [self.target(entry) for entry in directory.entries if entry.tag in POINTERS]:
                if start not in visited and len(visited) < MAX_DIRECTORIES:
                    visited.add(start)
                    with suppress(ExifError):
                        queue.append(self.directory(start))

    def target(self, pointer: IfdEntry) -> int:
        """Return the offset that a pointer holds."""
        return self.unpack("I", pointer.position + 8)[0]

    def is_damaged(self, entry: IfdEntry) -> bool:
        """Tell whether an entry's type is unknown, or its value is not in the block."""
        if self.data[entry.position : entry.position + 12] == bytes(12):
            return False  # some cameras reserve room
        if entry.type not in TYPE_BYTES or entry.end > len(self.data):
            return True
        if entry.tag not in POINTERS:
            return False
        try:
            self.end_of_entries(self.target(entry))
        except ExifError:
            return True
        return False

    def numbers(self, entry: IfdEntry) -> tuple[int, ...]:
        """Return an entry's integers, the first ones of very many; none of another type or of a damaged entry."""
        if entry.type not in (SHORT, LONG) or entry.end > len(self.data):
            return ()
        return self.unpack(f"{min(entry.count, MAX_NUMBERS)}{'H' if entry.type == SHORT else 'I'}", entry.start)

    def find(self, tag: int, kind: int) -> IfdEntry | None:
        """Return the entry of a tag of this type in IFD0; None if it is missing or damaged."""
        for entry in self.first().entries:
            if (entry.tag, entry.type) == (tag, kind) and entry.end <= len(self.data):
                return entry
        return None

    def value(self, tag: int, kind: int) -> bytes:
        """Return the bytes of a tag of IFD0; empty if it is missing, damaged or of another type."""
        entry = self.find(tag, kind)
        return bytes(self.data[entry.start : entry.end]) if entry else b""

    def set_value(self, tag: int, kind: int, value: bytes) -> None:
        """Give a tag of IFD0, which is there, other bytes; longer than four, they are appended to the block."""
        entry = self.find(tag, kind)
        assert entry
        self.pack("I", entry.position + 4, len(value) // TYPE_BYTES[kind])
        if len(value) <= 4:
            self.data[entry.position + 8 : entry.position + 12] = value.ljust(4, b"\0")
            return
        self.data += bytes(len(self.data) % 2)
        self.pack("I", entry.position + 8, len(self.data))
        self.data += value

    def set_number(self, entry: IfdEntry, number: int) -> None:
        """Make an entry one integer: a SHORT if it was one and the number fits, else a LONG."""
        kind = SHORT if entry.type == SHORT and number < 2**16 else LONG
        self.pack("HI", entry.position + 2, kind, 1)
        self.pack("HH" if kind == SHORT else "I", entry.position + 8, *([number, 0] if kind == SHORT else [number]))

    def remove(self, directory: Directory, entries: list[IfdEntry]) -> None:
        """Remove entries from a directory; the later ones move up, their values stay."""
        removed = {entry.position for entry in entries}
        positions = [entry.position for entry in directory.entries if entry.position not in removed]
        packed = struct.pack(self.order + "H", len(positions))
        packed += b"".join(self.data[position : position + 12] for position in positions)
        packed += struct.pack(self.order + "I", directory.next)
        size = directory.end - directory.start
        self.data[directory.start : directory.end] = packed[:size].ljust(size, b"\0")

    def blank(self, spans: Iterable[Span], *, except_for: Iterable[Span] = ()) -> None:
        """Set spans to zero, except for others."""
        original = bytes(self.data)
        for start, end in merge_spans(spans, len(original)):
            self.data[start:end] = bytes(end - start)
        for start, end in merge_spans(except_for, len(original)):
            self.data[start:end] = original[start:end]


def merge_spans(spans: Iterable[Span], length: int) -> Iterator[Span]:
    """Yield spans of a block of so many bytes, in order and without overlap."""
    reached = 0
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, length)
        if start < end:
            yield start, end
            reached = end
