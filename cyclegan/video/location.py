"""The place of recording in MP4 and MOV files, in the box where phones write and read it.

libav reads that box, but writes into MP4 3GPP's `loci`, rounded and with an altitude of 0, which phones ignore.
"""

from pathlib import Path
from struct import pack, unpack
from typing import BinaryIO

LOCATION = b"\xa9xyz"  # the box in the user data
LANGUAGE = 0x15C7  # undetermined, as Android writes it


def write_location(path: Path, location: str) -> None:
    """Write a location in ISO 6709 into a file that has none; `moov` is the last box of libav's files."""
    with path.open("rb+") as file:
        begin = _find_moov(file)
        file.seek(begin)
        moov = file.read()
        if LOCATION not in moov:
            file.seek(begin)
            file.write(with_location(moov, location))


def with_location(moov: bytes, location: str) -> bytes:
    """Return the box `moov` with a location at the end of its user data."""
    text = location.encode()
    added = _box(LOCATION, pack(">HH", len(text), LANGUAGE) + text)
    offset = 8
    while offset < len(moov):
        size, name = unpack(">I4s", moov[offset : offset + 8])
        if name == b"udta":
            user_data = _box(name, moov[offset + 8 : offset + size] + added)
            return _box(b"moov", moov[8:offset] + user_data + moov[offset + size :])
        offset += size
    return _box(b"moov", moov[8:] + _box(b"udta", added))


def _find_moov(file: BinaryIO) -> int:
    """Return the offset of `moov`, a box at the top level."""
    offset = 0
    while header := file.read(16):
        size, name, large_size = unpack(">I4sQ", header.ljust(16, b"\0"))
        if name == b"moov":
            return offset
        offset += large_size if size == 1 else size
        file.seek(offset)
    raise ValueError("there is no moov in the file")


def _box(name: bytes, content: bytes) -> bytes:
    return pack(">I4s", len(content) + 8, name) + content
