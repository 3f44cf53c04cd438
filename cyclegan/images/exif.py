"""EXIF, corrected in place: nothing in the block moves, so every offset in it stays valid, in maker notes too.

The layout is TIFF's (TIFF 6.0, section 2); tags are those of EXIF 3.0 (CIPA DC-008). Blocks come from strangers' files:
every offset and count is checked, and every directory is visited once.
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from PIL import ExifTags

HEADER = b"Exif\0\0"
BYTES_OF = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}  # of a type
SHORT, LONG = 3, 4
ORIENTATION = 0x0112
POINTERS = (0x8769, 0x8825, 0xA005)  # to the directories of EXIF, GPS and interoperability
WIDTHS, HEIGHTS = (0x0100, 0xA002, 0x1001), (0x0101, 0xA003, 0x1002)  # IFD0, EXIF, interoperability
THUMBNAIL_STARTS, THUMBNAIL_LENGTHS = (0x0201, 0x0111), (0x0202, 0x0117)  # JPEG; uncompressed, in strips
MAX_DIRECTORIES = 8  # that are followed; EXIF has four, and one for a thumbnail
MAX_ENTRIES = 4096  # of a directory; cameras write some dozens
MAX_NAMES = 8  # of damaged tags in one message
MAX_PREVIEWS = 256  # places that may begin one; cameras write one or two
MAX_SEGMENTS = 64  # of a preview's JPEG header
Span = tuple[int, int]  # start and end in the block


class ExifError(ValueError):
    """A block, or a directory in it, that cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One tag of a directory; `start` is where its value lies, `end` may be outside the block."""

    place: int
    tag: int
    kind: int
    count: int
    start: int
    end: int


@dataclass(frozen=True)
class Directory:
    """A directory's entries in their order, and the offset of the next one, 0 for none."""

    start: int
    end: int
    entries: list[Entry]
    next: int


class Block:
    """A block of EXIF whose bytes may be changed but never moved."""

    def __init__(self, exif: bytes) -> None:
        while exif.startswith(HEADER):
            exif = exif[len(HEADER) :]
        self.data = bytearray(exif)
        if exif[:2] not in (b"II", b"MM") or len(exif) < 8:
            raise ExifError("it does not begin as EXIF does")
        self.order = "<" if exif[:2] == b"II" else ">"

    def read(self, layout: str, place: int) -> tuple[int, ...]:
        """Unpack numbers at a place."""
        try:
            return struct.unpack_from(self.order + layout, self.data, place)
        except struct.error as error:
            raise ExifError("an offset leads out of the block") from error

    def write(self, layout: str, place: int, *numbers: int) -> None:
        """Pack numbers at a place."""
        struct.pack_into(self.order + layout, self.data, place, *numbers)

    def first(self) -> Directory:
        """Return the main directory, IFD0."""
        return self.directory(self.read("I", 4)[0])

    def directory(self, start: int) -> Directory:
        """Return the directory at an offset."""
        end = self._end_of_entries(start)
        entries = [self._entry(place) for place in range(start + 2, end, 12)]
        following = self.read("I", end)[0] if end + 4 <= len(self.data) else 0
        return Directory(start, min(end + 4, len(self.data)), entries, following)

    def _end_of_entries(self, start: int) -> int:
        count = self.read("H", start)[0] if start >= 8 else 0
        end = start + 2 + 12 * count
        if not 0 < count <= MAX_ENTRIES or end > len(self.data):
            raise ExifError("a directory is cut off")
        return end

    def _entry(self, place: int) -> Entry:
        tag, kind, count, offset = self.read("HHII", place)
        size = BYTES_OF.get(kind, 0) * count
        start = place + 8 if size <= 4 else offset
        return Entry(place, tag, kind, count, start, start + size)

    def directories(self) -> Iterator[Directory]:
        """Yield IFD0 and what it points to, each once; pointers that lead nowhere are passed over."""
        waiting, seen = [self.first()], {self.first().start}
        while waiting:
            directory = waiting.pop(0)
            yield directory
            for start in [self.offset(entry) for entry in directory.entries if entry.tag in POINTERS]:
                if start not in seen and len(seen) < MAX_DIRECTORIES:
                    seen.add(start)
                    with suppress(ExifError):
                        waiting.append(self.directory(start))

    def offset(self, entry: Entry) -> int:
        """Return the offset that a pointer's entry holds."""
        return self.read("I", entry.place + 8)[0]

    def is_damaged(self, entry: Entry) -> bool:
        """Tell whether an entry's type is unknown, or its value is not in the block."""
        if self.data[entry.place : entry.place + 12] == bytes(12):
            return False  # some cameras leave room
        if entry.kind not in BYTES_OF or entry.end > len(self.data):
            return True
        if entry.tag not in POINTERS:
            return False
        try:
            self._end_of_entries(self.offset(entry))
        except ExifError:
            return True
        return False

    def numbers(self, entry: Entry) -> tuple[int, ...]:
        """Return an entry's whole numbers; none of another type or of a damaged entry."""
        if entry.kind not in (SHORT, LONG) or entry.end > len(self.data):
            return ()
        return self.read(f"{entry.count}{'H' if entry.kind == SHORT else 'I'}", entry.start)

    def remove(self, directory: Directory, damaged: list[Entry]) -> None:
        """Take entries out of a directory; those behind them move up, their values stay."""
        gone = {entry.place for entry in damaged}
        kept = [self.data[entry.place : entry.place + 12] for entry in directory.entries if entry.place not in gone]
        packed = struct.pack(self.order + "H", len(kept)) + b"".join(kept)
        packed += struct.pack(self.order + "I", directory.next)
        size = directory.end - directory.start
        self.data[directory.start : directory.end] = packed[:size].ljust(size, b"\0")

    def set_number(self, entry: Entry, number: int) -> None:
        """Make an entry one whole number, a SHORT where it was one and the number fits."""
        kind = SHORT if entry.kind == SHORT and number < 2**16 else LONG
        self.write("HI", entry.place + 2, kind, 1)
        self.write("HH" if kind == SHORT else "I", entry.place + 8, *([number, 0] if kind == SHORT else [number]))

    def clean(self) -> list[str]:
        """Make it one for upright pixels, without pictures and damaged tags; return the names of the latter."""
        names: list[str] = []
        used: list[Span] = []
        for directory in [*self.directories()]:
            damaged = [entry for entry in directory.entries if self.is_damaged(entry)]
            used += [(directory.start, directory.end), *_values(directory)]
            names += [_name(entry.tag) for entry in damaged]
            if damaged:
                self.remove(directory, damaged)
        self.unlink_thumbnails(used)
        self.blank_previews()
        for entry in self.first().entries:
            if entry.tag == ORIENTATION:
                self.set_number(entry, 1)
        return names

    def unlink_thumbnails(self, used: list[Span]) -> None:
        """Cut the directories behind IFD0 off, and blank them and their pictures, but for bytes that are used."""
        spans, following, seen = list[Span](), self.first().next, set[int]()
        while following and following not in seen and len(seen) < MAX_DIRECTORIES:
            seen.add(following)
            try:
                directory = self.directory(following)
            except ExifError:
                break
            spans += [(directory.start, directory.end), *_values(directory), *self._thumbnail(directory)]
            following = directory.next
        original = bytes(self.data)
        for start, end in merged(spans, len(original)):
            self.data[start:end] = bytes(end - start)
        for start, end in merged(used, len(original)):
            self.data[start:end] = original[start:end]
        end = self._end_of_entries(self.first().start)
        if end + 4 <= len(self.data):
            self.write("I", end, 0)

    def _thumbnail(self, directory: Directory) -> list[Span]:
        """Return where a directory's pictures lie."""
        numbers = {entry.tag: self.numbers(entry) for entry in directory.entries}
        return [
            (start, start + length)
            for starts, lengths in zip(THUMBNAIL_STARTS, THUMBNAIL_LENGTHS, strict=True)
            for start, length in zip(numbers.get(starts, ()), numbers.get(lengths, ()), strict=False)
        ]

    def blank_previews(self) -> None:
        """Blank the JPEG pictures that lie in maker notes, and what was not reached by offsets."""
        place, last = self.data.find(b"\xff\xd8\xff"), self.data.rfind(b"\xff\xd9")
        for _ in range(MAX_PREVIEWS):
            if not 0 <= place < last:
                break
            end = self._end_of_jpeg(place, last)
            if end:
                self.data[place:end] = bytes(end - place)
            place = self.data.find(b"\xff\xd8\xff", end or place + 1)

    def _end_of_jpeg(self, start: int, last: int) -> int:
        """Return where a JPEG ends that begins at an offset, at `last` at the latest; 0 if what lies there is none."""
        place, frame = start + 2, False
        for _ in range(MAX_SEGMENTS):
            if place > last or self.data[place] != 0xFF:
                return 0
            marker, length = self.data[place + 1], int.from_bytes(self.data[place + 2 : place + 4], "big")
            frame = frame or marker in (0xC0, 0xC1, 0xC2)
            place += 2 + length
            if marker == 0xDA:  # the scan, at last
                return self.data.find(b"\xff\xd9", place) + 2 if frame and place <= last else 0
        return 0


def orientation(exif: bytes) -> int | None:
    """Return how the stored pixels are turned, 1 (upright) to 8, or nothing if the block does not say."""
    with suppress(ExifError):
        block = Block(exif)
        for entry in block.first().entries:
            if entry.tag == ORIENTATION and (numbers := block.numbers(entry)) and numbers[0] in range(1, 9):
                return numbers[0]
    return None


def cleaned(exif: bytes) -> tuple[bytes, str]:
    """Return a block for upright pixels, without thumbnails and damaged tags, and a message about the latter.

    A block that cannot be read at all becomes empty.
    """
    try:
        block = Block(exif)
        names = block.clean()
    except ExifError as error:
        return b"", f"Its EXIF is damaged and left out: {error}."
    return HEADER + bytes(block.data), _message(names)


def with_size(exif: bytes, width: int, height: int) -> bytes:
    """Return a block with the pixel sizes that it names corrected."""
    sizes = dict.fromkeys(WIDTHS, width) | dict.fromkeys(HEIGHTS, height)
    try:
        block = Block(exif)
        for directory in block.directories():
            for entry in directory.entries:
                if entry.tag in sizes:
                    block.set_number(entry, sizes[entry.tag])
    except ExifError:
        return exif
    return HEADER + bytes(block.data)


def without_orientation(exif: bytes) -> bytes:
    """Return a block that leaves orientation to its file's format."""
    try:
        block = Block(exif)
        first = block.first()
    except ExifError:
        return exif
    block.remove(first, [entry for entry in first.entries if entry.tag == ORIENTATION])
    return HEADER + bytes(block.data)


def merged(spans: Iterable[Span], length: int) -> Iterator[Span]:
    """Yield spans of a block of so many bytes, in order and without overlap."""
    reached = 0
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, length)
        if start < end:
            yield start, end
            reached = end


def _values(directory: Directory) -> list[Span]:
    """Return where the values lie that are outside a directory."""
    return [(entry.start, entry.end) for entry in directory.entries if entry.start != entry.place + 8]


def _name(tag: int) -> str:
    return ExifTags.TAGS.get(tag) or ExifTags.GPSTAGS.get(tag) or f"0x{tag:04x}"


def _message(names: list[str]) -> str:
    """Return what is said of damaged tags; nothing if there are none."""
    if not names:
        return ""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    tags, verb = ("tags", "are") if len(names) > 1 else ("tag", "is")
    return f"Its EXIF {tags} {', '.join(names[:MAX_NAMES])}{more} {verb} damaged and left out."
