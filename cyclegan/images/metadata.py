"""What a picture's file says beside its pixels, and the mark that a picture was generated.

The mark is IPTC's `DigitalSourceType` (IPTC Photo Metadata Standard 2025.1, Extension schema) in an XMP packet.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import ExifTags, Image

from cyclegan import __version__

ORIENTATION = 0x0112
# tags of a TIFF that say how its pixels are stored, or that are kept elsewhere
STORAGE_TAGS = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293, 297,
    301, ORIENTATION, 317, 318, 319, 320, *range(321, 348), 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531,
    532, 700, 33723, 34377, 34675,
}  # fmt: skip
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MARK_NAMES = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
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
        return replace(self, exif=exif.tobytes())

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


def marked(xmp: bytes, system: str, *, composite: bool) -> bytes:
    """Return an XMP packet that says so, beside all else that it said."""
    kind = "compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia"
    mark = (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPES}{kind}"'
        f" Iptc4xmpExt:AISystemUsed={quoteattr(system)}"
        f' Iptc4xmpExt:AISystemVersionUsed="cyclegan {__version__}"/>'
    )
    packet = _readable(xmp) or PACKET
    for name in MARK_NAMES:
        packet = _without(packet, f"Iptc4xmpExt:{name}")
    packet = _without(packet, "tiff:Orientation")  # the pixels are upright now
    before, end, after = packet.rpartition("</rdf:RDF>")
    return f"{before}{mark}{end}{after}".encode()


def _readable(xmp: bytes) -> str | None:
    """Return a packet as text if it is one that more can be added to."""
    try:
        ElementTree.fromstring(xmp.strip(b"\0 \n"))
        packet = xmp.strip(b"\0").decode()
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    return packet if "</rdf:RDF>" in packet and "<!DOCTYPE" not in packet else None


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
        return exif.tobytes() if len(exif) else b""
    except Exception:
        return b""


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value or b"")


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(number) for number in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e5 and 0 < down < 1e5 else None
