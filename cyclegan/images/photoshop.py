"""Photoshop's image resources ("8BIM"): captions (IPTC-IIM) and more that Photoshop stores beside a picture.

Adobe Photoshop File Formats Specification, "Image Resources Section".
"""

from collections.abc import Iterator

PHOTOSHOP_HEADER = b"Photoshop 3.0\0"  # before the resources in a JPEG
IPTC_RESOURCE = 0x0404
THUMBNAILS = (0x0409, 0x040C)
STORED_ELSEWHERE = (0x040F, 0x0422, 0x0423, 0x0424)  # ICC profile, EXIF and XMP
MAX_SEGMENT_BYTES = 65_533  # of a JPEG's segment, without marker and length


def split_resources(data: bytes) -> tuple[bytes, bytes]:
    """Return the captions in resources, and the other resources without thumbnails and copies of other metadata."""
    iptc, others = b"", list[bytes]()
    for code, content, resource in _resources(data.removeprefix(PHOTOSHOP_HEADER)):
        if code == IPTC_RESOURCE:
            iptc = iptc or content
        elif code not in (*THUMBNAILS, *STORED_ELSEWHERE):
            others.append(resource)
    return iptc, b"".join(others)


def join_resources(iptc: bytes, others: bytes) -> bytes:
    """Return resources with the captions first."""
    if not iptc:
        return others
    header = b"8BIM" + IPTC_RESOURCE.to_bytes(2, "big") + b"\0\0" + len(iptc).to_bytes(4, "big")
    return header + iptc + bytes(len(iptc) % 2) + others


def jpeg_segments(marker: int, header: bytes, data: bytes) -> bytes:
    """Split data of any length into a JPEG's segments (APPn), each beginning with the header."""
    room = MAX_SEGMENT_BYTES - len(header)
    parts = [header + data[start : start + room] for start in range(0, len(data), room)]
    return b"".join(bytes((0xFF, marker)) + (len(part) + 2).to_bytes(2, "big") + part for part in parts)


def _resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each resource's number, its content, and all its bytes; a truncated one ends them."""
    offset = 0
    while data[offset : offset + 4] == b"8BIM" and offset + 12 <= len(data):
        code, name = int.from_bytes(data[offset + 4 : offset + 6], "big"), data[offset + 6]
        start = offset + 6 + (name + 2) // 2 * 2 + 4
        end = start + int.from_bytes(data[start - 4 : start], "big")
        if start > len(data) or end > len(data):
            return
        yield code, data[start:end], data[offset:end] + bytes((end - start) % 2)
        offset = end + (end - start) % 2
