"""EXIF as cameras write it."""

import struct

from cyclegan.images.exif_block import EXIF_HEADER

Tag = tuple[int, int, int, bytes]  # number, type, count, value
ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 2, 3, 4, 5, 7
EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
JPEG_START, JPEG_LENGTH = 0x0201, 0x0202


def directory(tags: list[Tag], start: int, order: str, following: int = 0) -> bytes:
    """Return a directory that lies at an offset, and the values of its tags behind it."""
    out, values, place = struct.pack(order + "H", len(tags)), b"", start + 2 + 12 * len(tags) + 4
    for tag, kind, count, data in tags:
        inline = len(data) <= 4
        out += struct.pack(order + "HHI", tag, kind, count)
        out += data.ljust(4, b"\0") if inline else struct.pack(order + "I", place + len(values))
        values += b"" if inline else data + b"\0" * (len(data) % 2)
    return out + struct.pack(order + "I", following) + values


def camera(order: str, *, more: tuple[Tag, ...] = (), thumbnail: bytes = b"", note_more: bytes = b"") -> bytes:
    """Return EXIF as a camera writes it: a maker note with offsets, a comment, interoperability, GPS, a thumbnail."""

    def short(value: int) -> bytes:
        return struct.pack(order + "H", value)

    def long(value: int) -> bytes:
        return struct.pack(order + "I", value)

    comment = b"UNICODE\0" + "a photo of a horse".encode("utf-16-be" if order == ">" else "utf-16-le")
    sizes, size = [0] * 5, long(len(thumbnail))
    for _ in range(2):  # the second time with the right offsets
        starts = [8 + sum(sizes[:number]) for number in range(6)]
        first: list[Tag] = [
            (0x10F, ASCII, 6, b"Canon\0"), (0x110, ASCII, 8, b"EOS 40D\0"), (0x112, SHORT, 1, short(6)),
            *(tag for tag in more if tag[0] < EXIF),
            (EXIF, LONG, 1, long(starts[1])), (GPS, LONG, 1, long(starts[3])),
        ]  # fmt: skip
        note_start = starts[1] + 2 + 12 * (7 + sum(tag[0] > EXIF for tag in more)) + 4
        note = directory([(7, ASCII, 22, b"Firmware Version 1.10\0")], note_start, order) + note_more
        inner: list[Tag] = [
            (0x9000, UNDEFINED, 4, b"0230"), (0x927C, UNDEFINED, len(note), note),
            (0x9286, UNDEFINED, len(comment), comment), (0xA001, SHORT, 1, short(65535)),
            (0xA002, SHORT, 1, short(36)), (0xA003, LONG, 1, long(24)), (INTEROP, LONG, 1, long(starts[2])),
            *(tag for tag in more if tag[0] > EXIF),
        ]  # fmt: skip
        parts = [
            directory(first, starts[0], order, following=starts[4] if thumbnail else 0),
            directory(inner, starts[1], order),
            directory([(1, ASCII, 4, b"R03\0"), (2, UNDEFINED, 4, b"0100")], starts[2], order),
            directory([(1, ASCII, 2, b"N\0"), (2, RATIONAL, 3, bytes(range(24)))], starts[3], order),
            directory([(JPEG_START, LONG, 1, long(starts[5])), (JPEG_LENGTH, LONG, 1, size)], starts[4], order),
        ]  # fmt: skip
        sizes = [len(part) for part in parts]
    header = (b"MM\0*" if order == ">" else b"II*\0") + long(8)
    return EXIF_HEADER + header + b"".join(parts if thumbnail else parts[:4]) + thumbnail
