"""Where a video was taken, in MP4 and MOV files, at the place where phones write and read it.

libav reads it there, but writes it into MP4 as 3GPP's `loci`, rounded and with an altitude of 0, which phones ignore.
"""

from pathlib import Path
from struct import pack, unpack
from typing import BinaryIO

LOCATION = b"\xa9xyz"  # the box in the user data
LANGUAGE = 0x15C7  # undetermined, as Android writes it


def write_location(path: Path, location: str) -> None:
    """Write a location in ISO 6709 into a file, unless it is there; `moov` is the last box of what libav writes."""
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
    place = 8
    while place < len(moov):
        size, name = unpack(">I4s", moov[place : place + 8])
        if name == b"udta":
            user_data = _box(name, moov[place + 8 : place + size] + added)
            return _box(b"moov", moov[8:place] + user_data + moov[place + size :])
        place += size
    return _box(b"moov", moov[8:] + _box(b"udta", added))


def _find_moov(file: BinaryIO) -> int:
    """Return where `moov` begins, a box of the file itself."""
    place = 0
    while header := file.read(16):
        size, name, large = unpack(">I4sQ", header.ljust(16, b"\0"))
        if name == b"moov":
            return place
        place += large if size == 1 else size
        file.seek(place)
    raise ValueError("there is no moov in the file")


def _box(name: bytes, content: bytes) -> bytes:
    return pack(">I4s", len(content) + 8, name) + content
