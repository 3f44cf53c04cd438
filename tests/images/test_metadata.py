"""EXIF, XMP, captions and texts come back, with the mark that a picture was generated."""

import io
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ExifTags, Image, TiffImagePlugin

from cyclegan.images.xmp import IPTC_NAMESPACE, RDF, mark_generated
from tests.support.pictures import (
    picture,
    translate,
)


def exif_with_thumbnail() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "a camera"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] = 2.8
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 36
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return exif.tobytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_exif_comes_back_with_orientation_1(suffix: str, tmp_path: Path, idle):
    source = tmp_path / f"x.{suffix}"
    picture("RGB").save(source, exif=exif_with_thumbnail())
    with Image.open(translate(source, idle, size=48)) as after:
        exif = after.getexif()
        assert after.size == (48, 72)  # 36 x 24, turned, at twice the size
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        assert exif[ExifTags.Base.Make] == "a camera"
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FNumber] == pytest.approx(2.8)
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 48
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert not exif.get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_once(orientation: int, tmp_path: Path, idle):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture("RGB").save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as before, Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert np.array_equal(np.asarray(ImageOps.exif_transpose(before)), np.asarray(after))
        assert after.getexif().get(ExifTags.Base.Orientation, 1) == 1


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "gif"])
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_translation_says_that_it_was_generated(suffix: str, strength: float, tmp_path: Path, translator):
    source = tmp_path / f"x.{suffix}"
    old = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        b' tiff:Orientation="6" dc:source="the old one" rdf:about=""/></rdf:RDF></x:xmpmeta>'
    )
    options: dict[str, Any] = {} if suffix in ("gif", "png", "tif") else {"xmp": old}
    if suffix == "tif":
        options["tiffinfo"] = {700: old}
    picture("P" if suffix == "gif" else "RGB").save(source, **options)
    packet = translate(source, translator, strength=strength).read_bytes()
    kind = b"trainedAlgorithmicMedia" if strength == 1 else b"compositeWithTrainedAlgorithmicMedia"
    assert b'DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/' + kind in packet
    assert b"stripes" in packet  # the model's name
    if options:
        assert b"the old one" in packet
        assert b"tiff:Orientation" not in packet


def test_a_mark_replaces_an_older_mark():
    twice = mark_generated(mark_generated(b"", "one & <all>", composite=True), "another", composite=False)
    assert twice.count(b"DigitalSourceType") == 1
    assert b"one &amp;" not in twice
    assert mark_generated(b"\xff\xfe no XML", "it", composite=False).startswith(b"<?xpacket")


def test_text_resolution_comments_and_captions_come_back(tmp_path: Path, idle):
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Author", "somebody")
    picture("RGB").save(tmp_path / "x.png", pnginfo=text, dpi=(300, 300))
    caption = b"\x1c\x02\x78\x00\x05hello"
    segment = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + struct.pack(">I", len(caption)) + caption
    extra = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    picture("RGB").save(tmp_path / "y.jpg", extra=extra, dpi=(240, 240), comment=b"a comment")
    with Image.open(translate(tmp_path / "x.png", idle)) as after:
        assert after.text["Author"] == "somebody"
        assert after.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    with Image.open(translate(tmp_path / "y.jpg", idle)) as after:
        assert after.info["photoshop"][0x0404] == caption
        assert after.info["dpi"] == (240, 240)
        assert after.info["comment"] == b"a comment"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("text", ["© 2024 José, 日本語".encode(), "© Müller".encode("latin-1")])
def test_text_of_every_script_keeps_its_bytes(suffix: str, text: bytes, tmp_path: Path, idle):
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    tags.tagtype[ExifTags.Base.Copyright] = 2
    tags[ExifTags.Base.Copyright] = text
    file = io.BytesIO()
    tags.save(file)
    options = {"tiffinfo": tags} if suffix == "tif" else {"exif": b"Exif\0\0" + file.getvalue()}
    picture("RGB").save(tmp_path / f"x.{suffix}", **options)
    assert text in translate(tmp_path / f"x.{suffix}", idle, size=30).read_bytes()


def packet_of(inner: str) -> str:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{inner}</rdf:RDF></x:xmpmeta>'


def test_xmp_of_any_spelling_is_marked_once():
    title = '<rdf:Description rdf:about="" xmlns:q="a:b" q:title="the old title"/>'
    captured = f'<rdf:Description rdf:about="" xmlns:i="{IPTC_NAMESPACE}" i:DigitalSourceType="digitalCapture"/>'
    source_type = "<i:DigitalSourceType>digitalCapture</i:DigitalSourceType>"
    element = f'<rdf:Description xmlns:i="{IPTC_NAMESPACE}">{source_type}</rdf:Description>'
    plain = packet_of(title + captured + element)
    for packet in (plain.encode(), plain.encode("utf-16"), plain.replace("rdf:", "r:").replace(":rdf", ":r").encode()):
        text = mark_generated(packet, "it", composite=False).decode()
        assert "the old title" in text
        assert "digitalCapture" not in text
        assert text.count("trainedAlgorithmicMedia") == 1
        ElementTree.fromstring(text.encode())


@pytest.mark.parametrize("filling", [" ", "x"])
def test_xmp_too_long_for_a_jpeg_keeps_the_mark(filling: str, tmp_path: Path, idle):
    if filling == " ":
        packet = packet_of("") + " " * 65_000 + "<?xpacket end='w'?>"
    else:
        packet = packet_of(f'<rdf:Description rdf:about="" xmlns:q="a:b" q:t="{"x" * 65_100}"/>')
    picture("RGB").save(tmp_path / "x.jpg", xmp=packet.encode())
    with Image.open(translate(tmp_path / "x.jpg", idle)) as after:
        assert b"trainedAlgorithmicMedia" in after.info["xmp"]


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_a_tiff_without_resolution_gets_none(mode: str, tmp_path: Path, idle):
    picture(mode).save(tmp_path / "x.tif")
    with Image.open(translate(tmp_path / "x.tif", idle)) as after:
        assert not {282, 283, 296} & {*after.tag_v2}
