"""XMP packets: the mark that a picture was generated, and nothing in them that the result does not hold.

The mark is IPTC's `DigitalSourceType` (IPTC Photo Metadata Standard 2025.1, Extension schema). Packets are edited as
text, so that all else in them stays as it was written.
"""

import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from cyclegan import __version__

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MARK_NAMES = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
ANY = r"[\w.-]+"
GOOGLE = "http://ns.google.com/photos/1.0/"
# what phones and editors describe that does not come along: namespace, names of properties, what it is
CLAIMS = (
    ("http://ns.adobe.com/hdr-gain-map/1.0/", ANY, "gain map"),
    ("http://ns.apple.com/HDRGainMap/1.0/", ANY, "gain map"),
    (f"{GOOGLE}camera/", r"(?:MotionPhoto|MicroVideo)[\w.-]*", "motion clip"),
    (f"{GOOGLE}container/", "Directory", "attached files"),
    (f"{GOOGLE}container/item/", ANY, ""),
    ("http://ns.google.com/photos/dd/1.0/device/", ANY, "depth map"),
    (f"{GOOGLE}depthmap/", ANY, "depth map"),
    (f"{GOOGLE}image/", ANY, "original picture in XMP"),
    (f"{GOOGLE}audio/", ANY, "sound in XMP"),
    ("http://ns.apple.com/depthData/1.0/", ANY, "depth map"),
    ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP", "extended XMP"),
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails", ""),
    (TIFF, "Orientation", ""),  # the pixels are upright
)
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}  # else UTF-8
TAG = r"""(?:[^<>"']|"[^"]*"|'[^']*')*"""  # what follows an element's name in its first tag


def source_type(*, composite: bool) -> str:
    """Return IPTC's term for a picture that a model made, or blended its own into."""
    return SOURCE_TYPES + ("compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia")


def marked(xmp: bytes, system: str, *, composite: bool) -> bytes:
    """Return an XMP packet that says that `system` made the picture, beside all else that it said."""
    mark = (
        f'<rdf:Description rdf:about="" xmlns:rdf="{RDF}" xmlns:Iptc4xmpExt="{IPTC}"'
        f' Iptc4xmpExt:DigitalSourceType="{source_type(composite=composite)}"'
        f" Iptc4xmpExt:AISystemUsed={quoteattr(system)}"
        f' Iptc4xmpExt:AISystemVersionUsed="cyclegan {__version__}"/>'
    )
    packet = readable(xmp) or PACKET
    for prefix in {"Iptc4xmpExt", *_prefixes(packet, IPTC)}:
        for name in MARK_NAMES:
            packet = _without(packet, f"{prefix}:{name}")
    packet = packet if _is_packet(packet) else PACKET
    end = _end_of_rdf(packet)
    before, _, after = packet.rpartition(end)
    return f"{before}{mark}{end}{after}".encode()


def cleaned(xmp: bytes) -> tuple[bytes, list[str]]:
    """Return a packet without descriptions of what a result does not hold, and what that was.

    A packet that is no XML stays as it is, for `marked` to replace.
    """
    packet = readable(xmp)
    if packet is None:
        return xmp, []
    lost: list[str] = []
    for namespace, names, what in CLAIMS:
        for prefix in _prefixes(packet, namespace):
            shorter = _without(packet, f"{re.escape(prefix)}:{names}")
            if shorter != packet and what and what not in lost:
                lost.append(what)
            packet = shorter
            if f"{prefix}:" not in packet:  # the declaration alone would have readers look for more
                packet = re.sub(rf"""\s+xmlns:{re.escape(prefix)}\s*=\s*(?:"[^"]*"|'[^']*')""", "", packet)
    return (packet.encode() if _is_packet(packet) else b""), lost


def with_size(xmp: bytes, width: int, height: int) -> bytes:
    """Return a packet with the pixel sizes that it names corrected."""
    packet = readable(xmp)
    if packet is None:
        return xmp
    sizes = {(EXIF, "PixelXDimension"): width, (EXIF, "PixelYDimension"): height}
    sizes |= {(TIFF, "ImageWidth"): width, (TIFF, "ImageLength"): height}
    for (namespace, name), size in sizes.items():
        for prefix in _prefixes(packet, namespace):
            found = rf"""(\s{re.escape(prefix)}:{name}\s*=\s*["']|<{re.escape(prefix)}:{name}>)\s*\d+"""
            packet = re.sub(found, rf"\g<1>{size}", packet)
    return packet.encode()


def fitting(xmp: bytes, most: int) -> bytes:
    """Return a packet of at most so many bytes: without its padding, or else with nothing but the mark."""
    if len(xmp) <= most:
        return xmp
    bare = re.sub(rb"\s+(?=<\?xpacket end)", b"", xmp)
    if len(bare) <= most:
        return bare
    mark = re.search(rb'<rdf:Description rdf:about="" xmlns:rdf="[^"]*" xmlns:Iptc4xmpExt=[^>]*/>', xmp)
    return PACKET.encode().replace(b"</rdf:RDF>", (mark[0] if mark else b"") + b"</rdf:RDF>")


def readable(xmp: bytes) -> str | None:
    """Return a packet as text if it is one that can be edited."""
    try:
        packet = xmp.decode(ENCODINGS.get(xmp[:2], "utf-8-sig")).strip("\0 \n")
    except ValueError:
        return None
    return packet if _is_packet(packet) else None


def _is_packet(packet: str) -> bool:
    if "<!DOCTYPE" in packet or _end_of_rdf(packet) not in packet:
        return False
    try:
        ElementTree.fromstring(packet.encode())
    except (ElementTree.ParseError, ValueError, LookupError):
        return False
    return True


def _end_of_rdf(packet: str) -> str:
    """Return the tag that closes a packet's RDF, by whatever prefix it is called."""
    return next((f"</{prefix}:RDF>" for prefix in _prefixes(packet, RDF)), "</RDF>")


def _prefixes(packet: str, namespace: str) -> list[str]:
    """Return the prefixes that a packet binds to a namespace."""
    found = re.findall(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(namespace)}["']""", packet)
    return list(dict.fromkeys(found))


def _without(packet: str, name: str) -> str:
    """Return a packet without the properties of a name (a pattern), written as attributes or as elements."""
    packet = re.sub(rf"""\s{name}\s*=\s*("[^"]*"|'[^']*')""", "", packet)
    packet = re.sub(rf"<{name}(?:\s{TAG})?/>", "", packet)
    return re.sub(rf"<({name})(?:\s{TAG})?>.*?</\1\s*>", "", packet, flags=re.DOTALL)
