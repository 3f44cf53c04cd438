"""Metadata made to fail a reader, or to take its time or memory: what cannot be kept is left out, and the rest goes on.

Read by their first readers, the long ones took minutes to years, or gigabytes.
"""

import struct
import tracemalloc
from pathlib import Path

import pytest
from PIL import PngImagePlugin

from cyclegan.images import icc, read_picture
from cyclegan.images.exif import clean_exif
from cyclegan.images.photoshop import split_resources
from cyclegan.images.tiff_tags import FileChange, update_tags
from cyclegan.images.xmp import MAX_BYTES, RDF, TIFF, clean_xmp, mark_generated, shorten
from tests.support.exif_blocks import ASCII, LONG, RATIONAL, SHORT, directory
from tests.support.pictures import picture

DOUBLED = FileChange(scale=(2.0, 2.0), shape=(24, 40, 3), dtype="uint8")
UNKNOWN_TYPE = 99
MARK_BEGIN = '<rdf:Description rdf:about="" xmlns:rdf="" xmlns:Iptc4xmpExt='


def packet(inner: str, attributes: str = f'xmlns:t="{TIFF}"') -> bytes:
    begin = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="{RDF}"><r:Description {attributes}>'
    return f"{begin}{inner}</r:Description></r:RDF></x:xmpmeta>".encode()


def tiff_block(*tags: tuple[int, int, int, bytes]) -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + directory([*tags], 8, "<")


def description(text: bytes) -> tuple[int, int, int, bytes]:
    return 270, ASCII, len(text), text


@pytest.mark.parametrize(
    "text",
    [
        b'{"shape":' + b"[" * 5000,
        b'<OME xmlns="u"><Image><Pixels>' + b"<a>" * 5000 + b"</a>" * 5000 + b"</Pixels></Image></OME>",
        b'<?xml version="1.0" encoding="x-none"?><OME xmlns="u"/>',
        b'<?xml version="1.0" encoding="big5"?><OME xmlns="u"/>',
        b"<OME><Image><Pixels/></Image></OME>",
    ],
)
def test_a_description_that_cannot_be_read_is_left_out(text: bytes):
    assert text not in update_tags(tiff_block(description(text)), DOUBLED)[-len(text) :]


def test_a_resolution_too_large_to_scale_stays():
    vast = struct.pack("<II", 2**32 - 1, 1)
    tags = [(tag, RATIONAL, 1, vast) for tag in (282, 283)]
    assert update_tags(tiff_block(description(b"ImageJ=1.53\0"), *tags), DOUBLED).count(vast) == 2


def test_a_description_that_comes_twice_is_updated_where_it_is_text():
    block = tiff_block((270, UNKNOWN_TYPE, 1, b"abcd"), description(b"ImageJ=1.53\nimages=3\n\0"))
    assert update_tags(block, DOUBLED).endswith(b"ImageJ=1.53\n\0")


def test_numbers_that_many_tags_share_take_no_memory():
    first = struct.pack("<HHHIII", 1, 274, SHORT, 1, 6, 26)
    shared = b"".join(struct.pack("<HHII", 5000 + number, LONG, 10_000, 26) for number in range(2000))
    exif = tiff_block()[:8] + first + struct.pack("<H", 2000) + shared + bytes(40_000)
    tracemalloc.start()
    clean_exif(exif)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize(
    "xmp",
    [
        packet(" " * 10**6),
        packet(f"<!--{'<t:Orientation>' * 50_000}-->"),
        packet("", " ".join(f'xmlns:t{number}="{TIFF}"' for number in range(20_000))),
        packet("<a/>" * 10**6),
    ],
    ids=["spaces", "openings in a comment", "prefixes of one namespace", "elements"],
)
def test_a_long_packet_takes_time_and_memory_of_its_length(xmp: bytes):
    tracemalloc.start()
    marked = mark_generated(clean_xmp(xmp)[0], "horses2zebras", composite=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert marked.count(b"DigitalSourceType") == 1
    assert peak < 64 * 2**20


def test_a_packet_beyond_reason_is_left_out_with_a_message():
    assert clean_xmp(packet(" " * MAX_BYTES)) == (b"", ["XMP of more than 4 MiB"])


@pytest.mark.parametrize("inner", [" " * 10**6, f"<!--{MARK_BEGIN * 100_000}-->"], ids=["spaces", "marks"])
def test_a_long_packet_is_shortened(inner: str):
    assert len(shorten(packet(inner), 1000)) < 1000


def test_many_resources_of_photoshop_come_back():
    resources = b"8BIM\x04\x05\0\0\0\0\0\0" * 100_000
    assert split_resources(resources) == (b"", resources)


def test_a_raw_profile_of_line_breaks_is_ignored(tmp_path: Path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\n" * 10**6, zip=True)
    picture("RGB").save(tmp_path / "x.png", pnginfo=info)
    assert read_picture(tmp_path / "x.png").metadata.exif == b""


def test_colour_profiles_are_not_kept_for_ever():
    for number in range(100):
        icc.needs_conversion(bytes(16) + b"RGB " + bytes([number]), 3)
    assert icc.needs_conversion.cache_info().currsize < 20
