"""XMP and IPTC captions come back from wherever a format keeps them, and promise nothing that is not there."""

import io
import struct
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, ImageSequence, PngImagePlugin, TiffImagePlugin, TiffTags

from cyclegan.images import read_picture, write_picture
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.metadata import gif_xmp_block, raw_profile
from cyclegan.images.xmp import RDF, clean_xmp, mark_generated, xmp_with_size
from tests.support.exif_blocks import camera
from tests.support.pictures import notes_of, picture, translate

IPTC = b"\x1c\x02\x19\0\x05horse\x1c\x02\x74\0\x03Ann"
COPYRIGHTED = b"8BIM\x04\x0a\0\0\0\0\0\x01\x01\0"  # Photoshop's copyright flag
THUMBNAIL = b"8BIM\x04\x0c\0\0\0\0\0\x10a small original"
GOOGLE = "http://ns.google.com/photos/1.0/"


def packet(inner: str) -> bytes:
    description = f'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="Ann" {inner}'
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{description}</rdf:RDF></x:xmpmeta>'.encode()
    )


def resources(iptc: bytes) -> bytes:
    return THUMBNAIL + COPYRIGHTED + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)


PLAIN = packet("/>")
PROFILES = {
    "xmp": PLAIN,
    "APP1": b"http://ns.adobe.com/xap/1.0/\0" + PLAIN,
    "iptc": IPTC,
    "iptc of ImageMagick": resources(IPTC),
    "8bim": resources(IPTC),
    "exif": camera(">"),
    "APP1 with EXIF": camera("<"),
}


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_raw_profiles_of_png_come_back(kind: str, mode: str, tmp_path: Path, idle):
    info = PngImagePlugin.PngInfo()
    name = kind.split()[0]
    info.add_text(f"Raw profile type {name}", raw_profile(name, PROFILES[kind]), zip=True)
    picture(mode).save(tmp_path / "x.png", pnginfo=info)
    target = translate(tmp_path / "x.png", idle)
    after = read_picture(target).metadata
    if b"8BIM" in PROFILES[kind] or kind == "iptc":
        assert after.iptc == IPTC
        assert after.photoshop == (COPYRIGHTED if kind != "iptc" else b"")
    elif "EXIF" in kind or kind == "exif":
        assert b"Canon" in after.exif
        assert read_picture(target).pixels.shape[:2] == (36, 24)  # turned as it asks
    assert (b'dc:source="Ann"' in after.xmp) == (PLAIN in PROFILES[kind])
    assert target.read_bytes().count(b"trainedAlgorithmicMedia") == 1


@pytest.mark.parametrize("text", ["", "nonsense", "\nxmp\n  4\nzz", "\nxmp\n  4\n0", "\niptc\n -1\n"])
def test_invalid_raw_profiles_are_ignored(text: str, tmp_path: Path, idle):
    info = PngImagePlugin.PngInfo()
    for kind in ("xmp", "iptc", "exif", "8bim", "APP1"):
        info.add_text(f"Raw profile type {kind}", text)
    picture("RGB").save(tmp_path / "x.png", pnginfo=info)
    assert read_picture(translate(tmp_path / "x.png", idle)).metadata.iptc == b""


def gif(path: Path, frames: int) -> Path:
    images = [picture("P").rotate(90 * number) for number in range(frames)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=40)
    path.write_bytes(path.read_bytes().removesuffix(b";") + gif_xmp_block(PLAIN) + b";")
    return path


@pytest.mark.parametrize("frames", [1, 3])
def test_xmp_of_a_gif_comes_back(frames: int, tmp_path: Path, idle):
    target = translate(gif(tmp_path / "x.gif", frames), idle)
    assert b'dc:source="Ann"' in target.read_bytes()
    assert b"trainedAlgorithmicMedia" in target.read_bytes()
    with Image.open(target) as image:
        assert sum(1 for _ in ImageSequence.Iterator(image)) == frames


@pytest.mark.parametrize("suffix", ["webp", "avif", "heic"])
def test_xmp_of_newer_formats_comes_back(suffix: str, tmp_path: Path, idle):
    if suffix == "heic":
        pillow_heif.register_heif_opener()
    picture("RGB").save(tmp_path / f"x.{suffix}", xmp=PLAIN)
    assert b'dc:source="Ann"' in read_picture(translate(tmp_path / f"x.{suffix}", idle)).metadata.xmp


@pytest.mark.filterwarnings("ignore:Metadata Warning")  # Pillow's, of the input
@pytest.mark.parametrize("kind", [TiffTags.UNDEFINED, TiffTags.LONG])
@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_captions_of_a_tiff_come_back(kind: int, mode: str, tmp_path: Path, idle):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    padded = IPTC + bytes(-len(IPTC) % 4)
    tags[33723], tags.tagtype[33723] = padded, TiffTags.UNDEFINED
    picture(mode).save(tmp_path / "x.tif", tiffinfo=tags)
    if kind == TiffTags.LONG:
        data = (tmp_path / "x.tif").read_bytes()
        entry = struct.pack("<HHI", 33723, TiffTags.UNDEFINED, len(padded))
        longs = struct.pack("<HHI", 33723, kind, len(padded) // 4)
        (tmp_path / "x.tif").write_bytes(data.replace(entry, longs))
    assert read_picture(translate(tmp_path / "x.tif", idle)).metadata.iptc.rstrip(b"\0") == IPTC


def test_photoshop_resources_lose_only_their_thumbnail(tmp_path: Path, idle):
    data = b"Photoshop 3.0\0" + resources(IPTC)
    picture("RGB").save(tmp_path / "x.jpg", extra=b"\xff\xed" + struct.pack(">H", len(data) + 2) + data)
    target = translate(tmp_path / "x.jpg", idle)
    after = read_picture(target).metadata
    assert (after.iptc, after.photoshop) == (IPTC, COPYRIGHTED)
    assert b"a small original" not in target.read_bytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_captions_survive_a_change_of_format(suffix: str, tmp_path: Path):
    data = b"Photoshop 3.0\0" + resources(IPTC)
    picture("RGB").save(tmp_path / "x.jpg", extra=b"\xff\xed" + struct.pack(">H", len(data) + 2) + data)
    write_picture(read_picture(tmp_path / "x.jpg"), tmp_path / f"y.{suffix}", FORMAT_OF[f".{suffix}"])
    assert read_picture(tmp_path / f"y.{suffix}").metadata.iptc == IPTC


CLAIMS = {  # a description, and what is said of it
    "gain map": 'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>',
    "gain map, of Apple": 'xmlns:m="http://ns.apple.com/HDRGainMap/1.0/"><m:HDRGainMapVersion>65536</m:HDRGainMapVersion>'
    "</rdf:Description>",
    "motion clip": f'xmlns:GCamera="{GOOGLE}camera/" GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"/>',
    "motion clip, older": f'xmlns:C="{GOOGLE}camera/"><C:MicroVideo>1</C:MicroVideo></rdf:Description>',
    "attached files": f'xmlns:Container="{GOOGLE}container/" xmlns:Item="{GOOGLE}container/item/"><Container:Directory>'
    '<rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Length="9"/></rdf:li>'
    "</rdf:Seq></Container:Directory></rdf:Description>",
    "depth map": f'xmlns:GDepth="{GOOGLE}depthmap/" GDepth:Format="RangeInverse"/>',
    "original picture in XMP": f"xmlns:GImage='{GOOGLE}image/' GImage:Data='/9j/4AAQ'/>",
    "extended XMP": 'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="5D1C"/>',
}


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_xmp_claims_about_missing_data_are_removed_with_a_note(name: str, suffix: str, tmp_path: Path, idle):
    picture("RGB").save(tmp_path / f"x.{suffix}", xmp=packet(CLAIMS[name]))
    [note] = notes_of(tmp_path / f"x.{suffix}", idle)
    assert name.partition(",")[0] in note
    xmp = read_picture(tmp_path / "out" / f"x.{suffix}").metadata.xmp
    assert b'dc:source="Ann"' in xmp
    for word in (b"hdrgm", b"HDRGainMap", b"Motion", b"MicroVideo", b"Container", b"GDepth", b"GImage", b"Extended"):
        assert word not in xmp


def test_a_gain_map_is_left_out_with_a_note(tmp_path: Path, idle):
    gain_map = io.BytesIO()
    picture("L").save(gain_map, "JPEG")
    whole = io.BytesIO()
    picture("RGB").save(whole, "JPEG", xmp=packet(CLAIMS["gain map"]))
    (tmp_path / "x.jpg").write_bytes(whole.getvalue() + gain_map.getvalue())
    assert "gain map" in notes_of(tmp_path / "x.jpg", idle)[0]
    assert (tmp_path / "out" / "x.jpg").read_bytes().count(b"\xff\xd8\xff") == 1


def test_second_pictures_are_left_out_and_counted(tmp_path: Path, idle):
    picture("RGB").save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[picture("RGB")] * 2)
    assert notes_of(tmp_path / "x.jpg", idle) == [f"{tmp_path / 'x.jpg'}: Left out: 2 more pictures."]
    assert b"MPF\0" not in (tmp_path / "out" / "x.jpg").read_bytes()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_packets_of_any_encoding_are_read(encoding: str):
    after = mark_generated(clean_xmp(PLAIN.decode().encode(encoding))[0], "it", composite=False)
    assert b'dc:source="Ann"' in after


def test_thumbnails_in_xmp_are_left_out():
    thumbnail = (
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="a camera" xmlns:g="http://ns.adobe.com/xap/1.0/g/img/">'
        '<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><g:image>/9j/4AAQ</g:image></rdf:li></rdf:Alt>'
        "</xmp:Thumbnails></rdf:Description>"
    )
    after, lost = clean_xmp(packet(thumbnail))
    assert b"/9j/" not in after
    assert b"a camera" in after
    assert not lost


def test_sizes_in_xmp_are_corrected():
    sizes = (
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:PixelXDimension="36" xmlns:t="http://ns.adobe.com/tiff/1.0/">'
        "<exif:PixelYDimension>24</exif:PixelYDimension><t:ImageWidth>36</t:ImageWidth></rdf:Description>"
    )
    after = xmp_with_size(packet(sizes), 72, 48)
    assert b'PixelXDimension="72"' in after
    assert b">48</exif:PixelYDimension>" in after
    assert b">72</t:ImageWidth>" in after


@pytest.mark.parametrize(
    "xmp",
    [
        b"",
        b"no XML",
        b"<!DOCTYPE x><rdf:RDF/>",
        PLAIN[:-5],
        packet(CLAIMS["gain map"] + '<h:a xmlns:h="x"><h:a/></h:a>'),
    ],
)
def test_invalid_packets_are_replaced(xmp: bytes):
    after = mark_generated(clean_xmp(xmp)[0], "it", composite=False)
    assert after.count(b"trainedAlgorithmicMedia") == 1
    assert clean_xmp(after) == (after, [])


@pytest.mark.parametrize("named", [False, True])
def test_resolution_is_written_only_if_it_was_there(named: bool, tmp_path: Path, idle):
    loaded = Image.Exif()
    loaded.update({0x010F: "Canon"} | ({0x011A: 300.0, 0x011B: 300.0, 0x0128: 2} if named else {}))
    picture("RGB").save(tmp_path / "x.jpg", exif=loaded)
    with Image.open(translate(tmp_path / "x.jpg", idle)) as image:
        assert image.info["jfif_unit"] == int(named)
        assert not named or image.info["dpi"] == (300, 300)
