"""Damages to valid files: cut, spliced, flipped bits, extreme lengths, words that no reader expects.

Half of the damages lie behind a checksum or a length, which is made to fit again, so that they reach the inner readers.
"""

import random
import re
import struct
import zipfile
import zlib
from io import BytesIO

WORDS = (
    b"0", b"-1", b"1024", b"99999999999", b"1e999", b"NaN", b"null", b"true", b'""', b'"\\ud800"', b"[]", b"{}",
    b"[" * 3000, b"9" * 5000, b"../../x", b"/etc/passwd", b"\x1b[2J", b"<script>", b"\xff\xfe", b"\0", b"\n",
)  # fmt: skip
LENGTHS = tuple(
    struct.pack(order + kind, number)
    for order in "<>"
    for kind, bits in (("H", 16), ("I", 32), ("Q", 64))
    for number in (0, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 1)
)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return a valid file with one to three damages."""
    damage = rng.choice((damage_inside, damage_anywhere))
    return damage(data, rng)


def damage_anywhere(data: bytes, rng: random.Random) -> bytes:
    """Apply one to three random damages."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice((flip_bits, truncate, splice, overwrite_number, replace_word))(data, rng)
    return data


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Flip one to eight bits."""
    result = bytearray(data)
    for _ in range(rng.randint(1, 8) if data else 0):
        result[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(result)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Cut off the end."""
    return data[: rng.randint(0, len(data))]


def splice(data: bytes, rng: random.Random) -> bytes:
    """Join a beginning to an end, so that bytes in between are missing or repeated."""
    return data[: rng.randint(0, len(data))] + data[rng.randint(0, len(data)) :]


def overwrite_number(data: bytes, rng: random.Random) -> bytes:
    """Write an extreme number over a few bytes, most often near the beginning."""
    number = rng.choice(LENGTHS)
    start = rng.randint(0, min(len(data), rng.choice((16, 64, 256, 2**30))))
    return data[:start] + number + data[start + len(number) :]


def replace_word(data: bytes, rng: random.Random) -> bytes:
    """Replace one word by an unexpected one."""
    start = rng.choice((0, rng.randint(0, len(data))))
    words = list(re.finditer(rb'"[^"]*"|[\w.+-]+', data[start : start + 2000]))
    if not words:
        return data
    word = rng.choice(words)
    return data[: start + word.start()] + rng.choice(WORDS) + data[start + word.end() :]


def damage_inside(data: bytes, rng: random.Random) -> bytes:
    """Damage data behind a checksum or a length, and correct that; damage other files anywhere."""
    if data.startswith(b"\x89PNG"):
        return damage_png_chunk(data, rng)
    if zipfile.is_zipfile(BytesIO(data)):
        return damage_zip_entry(data, rng)
    length = int.from_bytes(data[:8], "little")
    if length < len(data):  # safetensors
        header = damage_anywhere(data[8 : 8 + length], rng)
        return struct.pack("<Q", len(header)) + header + data[8 + length :]
    return damage_anywhere(data, rng)


def damage_png_chunk(png: bytes, rng: random.Random) -> bytes:
    """Damage one chunk of a PNG; all checksums are right."""
    chunks, start = [], 8
    while start + 12 <= len(png):
        length = int.from_bytes(png[start : start + 4], "big")
        chunks.append(png[start + 4 : start + 8 + length])
        start += 12 + length
    index = rng.randrange(len(chunks))
    chunks[index] = chunks[index][:4] + damage_anywhere(chunks[index][4:], rng)
    return png[:8] + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def damage_zip_entry(archive: bytes, rng: random.Random) -> bytes:
    """Damage the name or the content of one entry of a zip archive; all checksums are right."""
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        entries = [(entry.filename, opened.read(entry)) for entry in opened.infolist()]
    index = rng.randrange(len(entries))
    name, content = entries[index]
    if rng.random() < 0.3:
        name = damage_anywhere(name.encode(), rng).decode(errors="replace")
    else:
        content = damage_anywhere(content, rng)
    entries[index] = (name.partition("\0")[0] or "empty", content)
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression=rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as opened:
        for name, content in entries:
            opened.writestr(name[:1000], content)
    return file.getvalue()
