"""XMP packets: the mark that a picture was generated is added, claims that no longer hold are removed.

The mark is IPTC's `DigitalSourceType` (IPTC Photo Metadata Standard 2025.1, Extension schema). Packets are edited as
text, so that everything else in them stays as it was written.
"""

import re
from collections import Counter
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from cyclegan import __version__

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
MARK_NAMES = ("DigitalSourceType", "AISystemUsed", "AISystemVersionUsed")
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC_NAMESPACE = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
ANY_NAME = r"[\w.-]+"
GOOGLE = "http://ns.google.com/photos/1.0/"
# descriptions by phones and editors of data that is left out: namespace, names of properties, name for users
CLAIMS = (
    ("http://ns.adobe.com/hdr-gain-map/1.0/", ANY_NAME, "gain map"),
    ("http://ns.apple.com/HDRGainMap/1.0/", ANY_NAME, "gain map"),
    (f"{GOOGLE}camera/", r"(?:MotionPhoto|MicroVideo)[\w.-]*", "motion clip"),
    (f"{GOOGLE}container/", "Directory", "attached files"),
    (f"{GOOGLE}container/item/", ANY_NAME, ""),
    ("http://ns.google.com/photos/dd/1.0/device/", ANY_NAME, "depth map"),
    (f"{GOOGLE}depthmap/", ANY_NAME, "depth map"),
    (f"{GOOGLE}image/", ANY_NAME, "original picture in XMP"),
    (f"{GOOGLE}audio/", ANY_NAME, "sound in XMP"),
    ("http://ns.apple.com/depthData/1.0/", ANY_NAME, "depth map"),
    ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP", "extended XMP"),
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails", ""),
    (TIFF, "Orientation", ""),  # the pixels are upright
)
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}  # else UTF-8
MAX_BYTES = 2**22  # of a packet that is edited; larger ones hold masks and histories of editors
MAX_PREFIXES = 4  # of one namespace; each takes the time of reading the packet
ATTRIBUTES = r"""(?:[^<>"']|"[^"]*"|'[^']*')*"""  # of an element, in its first tag


def source_type(*, composite: bool) -> str:
    """Return IPTC's term for a picture that a model generated, or that was blended with one."""
    return SOURCE_TYPES + ("compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia")


def mark_generated(xmp: bytes, system: str, *, composite: bool) -> bytes:
    """Return an XMP packet with the mark that `system` generated the picture."""
    mark = (
        f'<rdf:Description rdf:about="" xmlns:rdf="{RDF}" xmlns:Iptc4xmpExt="{IPTC_NAMESPACE}"'
        f' Iptc4xmpExt:DigitalSourceType="{source_type(composite=composite)}"'
        f" Iptc4xmpExt:AISystemUsed={quoteattr(system)}"
        f' Iptc4xmpExt:AISystemVersionUsed="cyclegan {__version__}"/>'
    )
    packet = decode(xmp) or PACKET
    for prefix in {"Iptc4xmpExt", *_prefixes(packet, IPTC_NAMESPACE)}:
        for name in MARK_NAMES:
            packet = _without(packet, f"{prefix}:{name}")
    packet = packet if _is_packet(packet) else PACKET
    end = _end_of_rdf(packet)
    before, _, after = packet.rpartition(end)
    return f"{before}{mark}{end}{after}".encode()


def clean_xmp(xmp: bytes) -> tuple[bytes, list[str]]:
    """Return a packet without descriptions of data that is left out, and the names of these.

    A packet that is not XML stays as it is, for `mark_generated` to replace.
    """
    if len(xmp) > MAX_BYTES:
        return b"", [f"XMP of more than {MAX_BYTES // 2**20} MiB"]
    packet = decode(xmp)
    if packet is None:
        return xmp, []
    removed: list[str] = []
    for namespace, properties, name in CLAIMS:
        for prefix in _prefixes(packet, namespace):
            shorter = _without(packet, f"{re.escape(prefix)}:{properties}")
            if shorter != packet and name and name not in removed:
                removed.append(name)
            packet = shorter
            if f"{prefix}:" not in packet:  # the declaration alone makes some readers look for more
                packet = re.sub(rf"""(?<!\s)\s+xmlns:{re.escape(prefix)}\s*=\s*(?:"[^"]*"|'[^']*')""", "", packet)
    return (packet.encode() if _is_packet(packet) else b""), removed


def xmp_with_size(xmp: bytes, width: int, height: int) -> bytes:
    """Return a packet with its pixel sizes corrected."""
    packet = decode(xmp)
    if packet is None:
        return xmp
    sizes = {(EXIF, "PixelXDimension"): width, (EXIF, "PixelYDimension"): height}
    sizes |= {(TIFF, "ImageWidth"): width, (TIFF, "ImageLength"): height}
    for (namespace, name), size in sizes.items():
        for prefix in _prefixes(packet, namespace):
            pattern = rf"""(\s{re.escape(prefix)}:{name}\s*=\s*["']|<{re.escape(prefix)}:{name}>)\s*\d+"""
            packet = re.sub(pattern, rf"\g<1>{size}", packet)
    return packet.encode()


def shorten(xmp: bytes, max_bytes: int) -> bytes:
    """Return a packet of at most so many bytes: without its padding, or else with only the mark."""
    if len(xmp) <= max_bytes:
        return xmp
    bare = re.sub(rb"(?<!\s)\s+(?=<\?xpacket end)", b"", xmp)
    if len(bare) <= max_bytes:
        return bare
    mark = re.search(rb'<rdf:Description rdf:about="" xmlns:rdf="[^"]*" xmlns:Iptc4xmpExt=[^<>]*/>', xmp)
    return PACKET.encode().replace(b"</rdf:RDF>", (mark[0] if mark else b"") + b"</rdf:RDF>")


def decode(xmp: bytes) -> str | None:
    """Return a packet as text, or None if it cannot be edited."""
    if len(xmp) > MAX_BYTES:
        return None
    try:
        packet = xmp.decode(ENCODINGS.get(xmp[:2], "utf-8-sig")).strip("\0 \n")
    except ValueError:
        return None
    return packet if _is_packet(packet) else None


def _is_packet(packet: str) -> bool:
    if "<!DOCTYPE" in packet or _end_of_rdf(packet) not in packet:
        return False
    bound = set(re.findall(r"""xmlns:([\w.-]+)\s*=\s*["']([^"']*)["']""", packet))
    if max(Counter(namespace for _, namespace in bound).values(), default=0) > MAX_PREFIXES:
        return False
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(packet.encode(), True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True


def _end_of_rdf(packet: str) -> str:
    """Return the tag that closes a packet's RDF, with any prefix."""
    return next((f"</{prefix}:RDF>" for prefix in _prefixes(packet, RDF)), "</RDF>")


def _prefixes(packet: str, namespace: str) -> list[str]:
    """Return the prefixes that a packet binds to a namespace."""
    found = re.findall(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(namespace)}["']""", packet)
    return list(dict.fromkeys(found))


def _without(packet: str, name: str) -> str:
    """Return a packet without the properties of a name (a pattern), written as attributes or as elements."""
    packet = re.sub(rf"""\s{name}\s*=\s*("[^"]*"|'[^']*')""", "", packet)
    packet = re.sub(rf"<{name}(?:\s{ATTRIBUTES})?/>", "", packet)
    # From each opening tag to the next closing one of its name; a pattern for both would read on from each opening.
    kept, end, opening = list[str](), 0, None
    for tag in re.finditer(rf"<({name})(?:\s{ATTRIBUTES})?>|</({name})\s*>", packet):
        if opening is None and tag[1]:
            opening = tag
        elif opening and tag[2] == opening[1]:
            kept.append(packet[end : opening.start()])
            end, opening = tag.end(), None
    return "".join(kept) + packet[end:]
