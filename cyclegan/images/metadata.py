"""What a picture's file says beside its pixels, and the mark that a picture was generated.

The mark is IPTC's `DigitalSourceType` (IPTC Photo Metadata Standard 2025.1, Extension schema) in an XMP packet.
"""

import io
import re
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from cyclegan import __version__

ORIENTATION = 0x0112
# tags of a TIFF that hold the original again, or point to it: the layers of Photoshop, ImageJ's labels and overlays of
# every slice, planes of MetaMorph and Zeiss
ORIGINAL_TAGS = {33628, 33629, 33630, 33631, 34412, 37724, 50838, 50839}
# tags of a TIFF that say how its pixels are stored, or that are kept elsewhere
STORAGE_TAGS = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293, 297,
    301, ORIENTATION, 317, 318, 319, 320, *range(321, 348), 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531,
    532, 700, 33723, 34377, 34675, *ORIGINAL_TAGS,
}  # fmt: skip
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MARK_NAMES = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


@dataclass(frozen=True)
class Metadata:
    """What is kept of a file's words about its picture."""

    exif: bytes = b""  # without orientation, thumbnail and how the pixels were stored
    xmp: bytes = b""
    iptc: bytes = b""  # IPTC-IIM records, as Photoshop keeps them in a JPEG
    text: dict[str, str] = field(default_factory=dict)  # of a PNG
    comment: bytes = b""  # of a JPEG or GIF
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()  # what of the file is not kept, each a sentence

    @classmethod
    def of_image(cls, image: Image.Image) -> "Metadata":
        """Take what a Pillow image knows."""
        info = image.info
        photoshop = info.get("photoshop")
        texts: dict[str, Any] = getattr(image, "text", {})
        comment = info.get("comment", b"")
        return cls(
            exif=_kept_exif(image),
            xmp=_bytes(info.get("xmp", b"")),
            iptc=photoshop.get(0x0404, b"") if isinstance(photoshop, dict) else b"",
            text={key: str(value) for key, value in texts.items() if not key.startswith(("XML:", "Raw profile"))},
            comment=comment if isinstance(comment, bytes) else b"",
            dpi=_dpi(info.get("dpi")),
        )

    def with_exif_size(self, width: int, height: int) -> "Metadata":
        """Return the same with the pixel size that EXIF names, if it names one."""
        exif = Image.Exif()
        exif.load(self.exif)
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        if ExifTags.Base.ExifImageWidth not in inner and ExifTags.Base.ExifImageHeight not in inner:
            return self
        inner |= {ExifTags.Base.ExifImageWidth: width, ExifTags.Base.ExifImageHeight: height}
        return replace(self, exif=_exif_bytes(exif))

    def marked(self, system: str, *, composite: bool) -> "Metadata":
        """Return the same with the mark that `system` made the picture, or blended its own into the original."""
        return replace(self, xmp=marked(self.xmp, system, composite=composite))


def orientation_of(image: Image.Image) -> int:
    """Return EXIF's word for how the stored pixels are turned, 1 (upright) to 8."""
    try:
        said = image.getexif().get(ORIENTATION, 1)
    except Exception:
        return 1
    return said if said in range(1, 9) else 1


def source_type(*, composite: bool) -> str:
    """Return IPTC's term for a picture that a model made, or blended its own into."""
    return SOURCE_TYPES + ("compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia")


def marked(xmp: bytes, system: str, *, composite: bool) -> bytes:
    """Return an XMP packet that says so, beside all else that it said."""
    mark = (
        f'<rdf:Description rdf:about="" xmlns:rdf="{RDF}" xmlns:Iptc4xmpExt="{IPTC}"'
        f' Iptc4xmpExt:DigitalSourceType="{source_type(composite=composite)}"'
        f" Iptc4xmpExt:AISystemUsed={quoteattr(system)}"
        f' Iptc4xmpExt:AISystemVersionUsed="cyclegan {__version__}"/>'
    )
    packet = _readable(xmp) or PACKET
    for prefix in {"Iptc4xmpExt", *_prefixes(packet, IPTC)}:
        for name in MARK_NAMES:
            packet = _without(packet, f"{prefix}:{name}")
    for prefix in {"tiff", *_prefixes(packet, TIFF)}:
        packet = _without(packet, f"{prefix}:Orientation")  # the pixels are upright now
    end = _end_of_rdf(packet)
    before, _, after = packet.rpartition(end)
    return f"{before}{mark}{end}{after}".encode()


def fitting_xmp(xmp: bytes, most: int) -> bytes:
    """Return a packet of at most so many bytes: without its padding, or else with nothing but the mark."""
    if len(xmp) <= most:
        return xmp
    bare = re.sub(rb"\s+(?=<\?xpacket end)", b"", xmp)
    if len(bare) <= most:
        return bare
    mark = re.search(rb'<rdf:Description rdf:about="" xmlns:rdf="[^"]*" xmlns:Iptc4xmpExt=[^>]*/>', xmp)
    return PACKET.encode().replace(b"</rdf:RDF>", (mark[0] if mark else b"") + b"</rdf:RDF>")


def _readable(xmp: bytes) -> str | None:
    """Return a packet as text if it is one that more can be added to."""
    try:
        wide = xmp[:2] in (b"\xff\xfe", b"\xfe\xff")
        packet = xmp.decode("utf-16" if wide else "utf-8-sig").strip("\0 \n")
        ElementTree.fromstring(packet.encode())
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return packet if _end_of_rdf(packet) in packet and "<!DOCTYPE" not in packet else None


def _end_of_rdf(packet: str) -> str:
    """Return the tag that closes a packet's RDF, by whatever prefix it is called."""
    return next((f"</{prefix}:RDF>" for prefix in _prefixes(packet, RDF)), "</RDF>")


def _prefixes(packet: str, namespace: str) -> list[str]:
    """Return the prefixes that a packet binds to a namespace."""
    return re.findall(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(namespace)}["']""", packet)


def _without(packet: str, name: str) -> str:
    """Return a packet without a property, whether it is written as an attribute or as an element."""
    packet = re.sub(rf"""\s{name}\s*=\s*("[^"]*"|'[^']*')""", "", packet)
    return re.sub(rf"<{name}\b[^>]*/>|<{name}\b.*?</{name}\s*>", "", packet, flags=re.DOTALL)


def _kept_exif(image: Image.Image) -> bytes:
    """Return EXIF without what is no longer so: written anew, it also lacks the thumbnail."""
    try:
        exif = image.getexif()
        for tag in STORAGE_TAGS & exif.keys():
            del exif[tag]
        return _exif_bytes(exif) if len(exif) else b""
    except Exception:
        return b""


def _exif_bytes(exif: Image.Exif) -> bytes:
    file = io.BytesIO()
    tags_of(exif).save(file)
    return b"Exif\0\0" + file.getvalue()


def tags_of(exif: Image.Exif) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return a directory of tags, ready to be written; text keeps the very bytes that it was read from."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for tag, value in exif.items():
        if isinstance(value, str):
            directory.tagtype[tag] = TiffTags.ASCII
        inner = exif.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else None
        directory[tag] = _as_read(value) if inner is None else {name: _as_read(found) for name, found in inner.items()}
    return directory


def _as_read(value: Any) -> Any:
    """Return text that is not ASCII as the bytes that Pillow read as Latin-1; it would write question marks."""
    return value if not isinstance(value, str) or value.isascii() else value.encode("latin-1", "replace")


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e5 and 0 < down < 1e5 else None
