"""Photoshop's image resources ("8BIM"): captions (IPTC-IIM) and what else Photoshop keeps beside a picture.

Adobe Photoshop File Formats Specification, "Image Resources Section".
"""

from collections.abc import Iterator

HEADER = b"Photoshop 3.0\0"  # before the resources in a JPEG
IPTC = 0x0404
THUMBNAILS = (0x0409, 0x040C)
ELSEWHERE = (0x040F, 0x0422, 0x0423, 0x0424)  # ICC profile, EXIF and XMP, which have their own places
MAX_SEGMENT = 65_533  # bytes of a JPEG's segment


def split(data: bytes) -> tuple[bytes, bytes]:
    """Return the captions in resources, and the other resources without thumbnails and copies of other metadata."""
    iptc, others = b"", b""
    for code, content, resource in _resources(data.removeprefix(HEADER)):
        if code == IPTC:
            iptc = iptc or content
        elif code not in (*THUMBNAILS, *ELSEWHERE):
            others += resource
    return iptc, others


def joined(iptc: bytes, others: bytes) -> bytes:
    """Return resources with captions among them."""
    if not iptc:
        return others
    return (
        b"8BIM"
        + IPTC.to_bytes(2, "big")
        + b"\0\0"
        + len(iptc).to_bytes(4, "big")
        + iptc
        + bytes(len(iptc) % 2)
        + others
    )


def segments(marker: int, header: bytes, data: bytes) -> bytes:
    """Return a JPEG's segments (APPn) with data of any length, each beginning with a header."""
    room = MAX_SEGMENT - len(header)
    parts = [header + data[place : place + room] for place in range(0, len(data), room)]
    return b"".join(bytes((0xFF, marker)) + (len(part) + 2).to_bytes(2, "big") + part for part in parts)


def _resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each resource's number, content and all its bytes; what is cut off ends them."""
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        code, name = int.from_bytes(data[place + 4 : place + 6], "big"), data[place + 6]
        start = place + 6 + (name + 2) // 2 * 2 + 4
        end = start + int.from_bytes(data[start - 4 : start], "big")
        if start > len(data) or end > len(data):
            return
        yield code, data[start:end], data[place:end] + bytes((end - start) % 2)
        place = end + (end - start) % 2
