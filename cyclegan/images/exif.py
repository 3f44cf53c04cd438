"""EXIF as a translation keeps it: corrected in place, without thumbnails, previews and damaged tags.

Nothing in the block moves, so every offset in it stays valid, in maker notes too. Tags: EXIF 3.0 (CIPA DC-008).
"""

from contextlib import suppress

from PIL import ExifTags

from cyclegan.images.exif_block import MAX_DIRECTORIES, Block, Directory, ExifError, Span

ORIENTATION = 0x0112
WIDTHS, HEIGHTS = (0x0100, 0xA002, 0x1001), (0x0101, 0xA003, 0x1002)  # IFD0, EXIF, interoperability
THUMBNAIL_STARTS, THUMBNAIL_LENGTHS = (0x0201, 0x0111), (0x0202, 0x0117)  # JPEG; uncompressed, in strips
MAX_NAMES = 8  # of damaged tags in one message
MAX_PREVIEWS = 256  # possible starts of one; cameras write one or two
MAX_SEGMENTS = 64  # of a preview's JPEG header
JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
SCAN, FRAMES = 0xDA, (0xC0, 0xC1, 0xC2)  # markers of a JPEG


def orientation(exif: bytes) -> int | None:
    """Return the orientation of the stored pixels, 1 to 8, or None if the block has none."""
    with suppress(ExifError):
        block = Block(exif)
        for entry in block.first().entries:
            if entry.tag == ORIENTATION and (numbers := block.numbers(entry)) and numbers[0] in range(1, 9):
                return numbers[0]
    return None


def clean_exif(exif: bytes) -> tuple[bytes, str]:
    """Return a block for transposed pixels, without pictures and damaged tags, and a message about the latter.

    A block that cannot be read at all becomes empty.
    """
    try:
        block = Block(exif)
        damaged = _remove_damaged(block)
        _unlink_thumbnails(block)
        _blank_previews(block)
        for entry in block.first().entries:
            if entry.tag == ORIENTATION:
                block.set_number(entry, 1)
    except ExifError as error:
        return b"", f"Its EXIF is damaged and left out: {error}."
    return bytes(block), _message(damaged)


def exif_with_size(exif: bytes, width: int, height: int) -> bytes:
    """Return a block with its pixel sizes corrected."""
    sizes = dict.fromkeys(WIDTHS, width) | dict.fromkeys(HEIGHTS, height)
    try:
        block = Block(exif)
        for directory in block.directories():
            for entry in directory.entries:
                if entry.tag in sizes:
                    block.set_number(entry, sizes[entry.tag])
    except ExifError:
        return exif
    return bytes(block)


def without_orientation(exif: bytes) -> bytes:
    """Return a block for a format that has an orientation of its own; nothing if it holds no other tag."""
    try:
        block = Block(exif)
        first = block.first()
    except ExifError:
        return exif
    orientations = [entry for entry in first.entries if entry.tag == ORIENTATION]
    if len(orientations) == len(first.entries):
        return b""  # readers take a directory without entries for damage
    block.remove(first, orientations)
    return bytes(block)


def _remove_damaged(block: Block) -> list[int]:
    """Remove damaged tags and return them."""
    tags: list[int] = []
    for directory in [*block.directories()]:
        damaged = [entry for entry in directory.entries if block.is_damaged(entry)]
        tags += [entry.tag for entry in damaged]
        if damaged:
            block.remove(directory, damaged)
    return tags


def _unlink_thumbnails(block: Block) -> None:
    """Cut off the directories behind IFD0, and blank them and their pictures, but for bytes of other directories."""
    thumbnails = list[Span]()
    following, visited = block.first().next, set[int]()
    while following and following not in visited and len(visited) < MAX_DIRECTORIES:
        visited.add(following)
        try:
            directory = block.directory(following)
        except ExifError:
            break
        thumbnails += [*_spans(directory), *_pictures(block, directory)]
        following = directory.next
    block.blank(thumbnails, except_for=[span for directory in block.directories() for span in _spans(directory)])
    end = block.end_of_entries(block.first().start)
    if end + 4 <= len(block.data):
        block.pack("I", end, 0)


def _spans(directory: Directory) -> list[Span]:
    return [(directory.start, directory.end), *directory.outside_values()]


def _pictures(block: Block, directory: Directory) -> list[Span]:
    """Return where a directory's pictures lie."""
    pointers = [entry for entry in directory.entries if entry.tag in (*THUMBNAIL_STARTS, *THUMBNAIL_LENGTHS)]
    numbers = {entry.tag: block.numbers(entry) for entry in pointers}
    return [
        (start, start + length)
        for starts, lengths in zip(THUMBNAIL_STARTS, THUMBNAIL_LENGTHS, strict=True)
        for start, length in zip(numbers.get(starts, ()), numbers.get(lengths, ()), strict=False)
    ]


def _blank_previews(block: Block) -> None:
    """Blank JPEG pictures in maker notes, and those that no offset led to."""
    start, last = block.data.find(JPEG_START), block.data.rfind(JPEG_END)
    for _ in range(MAX_PREVIEWS):
        if not 0 <= start < last:
            break
        end = _end_of_jpeg(block.data, start, last)
        if end:
            block.data[start:end] = bytes(end - start)
        start = block.data.find(JPEG_START, end or start + 1)


def _end_of_jpeg(data: bytearray, start: int, last: int) -> int | None:
    """Return where the JPEG at an offset ends, at `last` at the latest; None if there is none."""
    offset, has_frame = start + 2, False
    for _ in range(MAX_SEGMENTS):
        if offset > last or data[offset] != 0xFF:
            return None
        marker, length = data[offset + 1], int.from_bytes(data[offset + 2 : offset + 4], "big")
        has_frame = has_frame or marker in FRAMES
        offset += 2 + length
        if marker == SCAN:
            return data.find(JPEG_END, offset) + 2 if has_frame and offset <= last else None
    return None


def _name(tag: int) -> str:
    return ExifTags.TAGS.get(tag) or ExifTags.GPSTAGS.get(tag) or f"0x{tag:04x}"


def _message(tags: list[int]) -> str:
    """Return the message about damaged tags; empty if there are none."""
    if not tags:
        return ""
    names = ", ".join(_name(tag) for tag in tags[:MAX_NAMES])
    more = f" and {len(tags) - MAX_NAMES} more" if len(tags) > MAX_NAMES else ""
    noun, verb = ("tags", "are") if len(tags) > 1 else ("tag", "is")
    return f"Its EXIF {noun} {names}{more} {verb} damaged and left out."
