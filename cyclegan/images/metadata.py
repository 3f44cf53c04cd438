"""Metadata of a picture's file: EXIF, XMP, captions, texts, resolution."""

import io
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import ExifTags, GifImagePlugin, Image, JpegImagePlugin, MpoImagePlugin, TiffImagePlugin, TiffTags

from cyclegan.images import exif as exif_blocks
from cyclegan.images import photoshop
from cyclegan.images import xmp as xmp_packets
from cyclegan.images.exif_block import EXIF_HEADER

# tags of a TIFF that hold the original again, or point to it: Photoshop's layers, ImageJ's labels and overlays of
# every slice, planes of MetaMorph and Zeiss
ORIGINAL_TAGS = {33628, 33629, 33630, 33631, 34412, 37724, 50838, 50839}
# tags of a TIFF about the storage of its pixels, or that `Metadata` holds elsewhere
STORAGE_TAGS = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293, 297,
    301, exif_blocks.ORIENTATION, 317, 318, 319, 320, *range(321, 348), 512, 513, 514, 515, 517, 518, 519, 520, 521,
    529, 530, 531, 532, 700, 33723, 34377, 34675, *ORIGINAL_TAGS,
}  # fmt: skip
XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
XMP_IN_PNG = "XML:com.adobe.xmp"
# its name, the number of its bytes, and these; possessive, as a text may be megabytes of line breaks
RAW_PROFILE = re.compile(r"\s*+[^\n]*+\n\s*+\d++[^\S\n]*+\n([0-9A-Fa-f\s]*+)")
XMP_IN_GIF = b"\x21\xff\x0bXMP DataXMP"
# leads a reader of sub-blocks safely over the packet (Adobe's XMP specification, part 3, 2020)
END_OF_XMP_IN_GIF = b"\x01" + bytes(range(255, -1, -1)) + b"\0"


@dataclass(frozen=True)
class Metadata:
    """The metadata that a translation keeps."""

    exif: bytes = b""  # for transposed pixels, without thumbnail
    xmp: bytes = b""
    iptc: bytes = b""  # IPTC-IIM records
    photoshop: bytes = b""  # Photoshop's other image resources
    text: dict[str, str] = field(default_factory=dict)  # of a PNG
    comment: bytes = b""  # of a JPEG or GIF
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()  # messages about metadata that is left out

    @classmethod
    def from_image(cls, image: Image.Image) -> "Metadata":
        """Read the metadata of an opened file."""
        block = exif_block(image)
        exif, damage_note = exif_blocks.clean_exif(block) if block else (_exif_of_tags(image), "")
        xmp, removed = xmp_packets.clean_xmp(_xmp(image))
        removed = list(dict.fromkeys([*removed, *_other_pictures(image)]))
        iptc, resources = photoshop.split_resources(_photoshop(image))
        texts: dict[str, Any] = getattr(image, "text", {})
        comment = image.info.get("comment", b"")
        return cls(
            exif=exif,
            xmp=xmp,
            iptc=_iptc(image) or iptc,
            photoshop=resources,
            text={key: str(value) for key, value in texts.items() if not key.startswith(("XML:", "Raw profile"))},
            comment=comment if isinstance(comment, bytes) else b"",
            dpi=_dpi(image),
            notes=tuple(note for note in (damage_note, f"Left out: {', '.join(removed)}." if removed else "") if note),
        )

    def with_size(self, width: int, height: int) -> "Metadata":
        """Return the metadata with the pixel sizes in EXIF and XMP corrected."""
        exif = exif_blocks.exif_with_size(self.exif, width, height)
        return replace(self, exif=exif, xmp=xmp_packets.xmp_with_size(self.xmp, width, height))

    def mark_generated(self, system: str, *, composite: bool) -> "Metadata":
        """Return the metadata with the mark that `system` generated the picture, or blended it with the original."""
        return replace(self, xmp=xmp_packets.mark_generated(self.xmp, system, composite=composite))

    def png_texts(self) -> dict[str, str]:
        """Return captions and resources as texts of a PNG, like ImageMagick and exiftool."""
        if self.photoshop:
            return {"Raw profile type 8bim": raw_profile("8bim", photoshop.join_resources(self.iptc, self.photoshop))}
        return {"Raw profile type iptc": raw_profile("iptc", self.iptc)} if self.iptc else {}

    def jpeg_segments(self) -> bytes:
        """Return captions and resources as segments of a JPEG (APP13)."""
        return photoshop.jpeg_segments(
            0xED, photoshop.PHOTOSHOP_HEADER, photoshop.join_resources(self.iptc, self.photoshop)
        )


def read_orientation(image: Image.Image) -> int:
    """Return the orientation in EXIF or XMP, 1 (as stored) to 8."""
    with suppress(Exception):
        value = exif_blocks.orientation(exif_block(image)) or image.getexif().get(exif_blocks.ORIENTATION, 1)
        return value if value in range(1, 9) else 1
    return 1


def exif_block(image: Image.Image) -> bytes:
    """Return the bytes of a file's EXIF; empty for a TIFF, which is EXIF itself."""
    block: bytes = image.info.get("exif") or b""
    for kind in ("exif", "APP1"):
        profile = b"" if block else _raw_profile(image, kind)
        block = profile if profile.startswith(EXIF_HEADER) else block
    return block


def raw_profile(kind: str, data: bytes) -> str:
    """Return data as a hexadecimal text of a PNG."""
    text = data.hex()
    lines = "\n".join(text[start : start + 72] for start in range(0, len(text), 72))
    return f"\n{kind}\n{len(data):8d}\n{lines}\n"


def _raw_profile(image: Image.Image, *kinds: str) -> bytes:
    """Return the data of the first of these kinds in a PNG's texts."""
    for kind in kinds:
        text = image.info.get(f"Raw profile type {kind}")
        match = RAW_PROFILE.match(text) if isinstance(text, str) else None
        with suppress(ValueError):
            if match:
                return bytes.fromhex(match[1])
    return b""


def gif_xmp_block(xmp: bytes) -> bytes:
    """Return the block that holds an XMP packet in a GIF, before its trailer."""
    return XMP_IN_GIF + xmp + END_OF_XMP_IN_GIF if xmp else b""


def _xmp(image: Image.Image) -> bytes:
    """Return a file's XMP packet."""
    packet = image.info.get("xmp") or image.info.get(XMP_IN_PNG) or b""
    if packet:
        return packet.encode() if isinstance(packet, str) else bytes(packet)
    if isinstance(image, GifImagePlugin.GifImageFile):
        with suppress(OSError):
            return _xmp_in_gif(Path(str(image.filename)).read_bytes())
    segment = _raw_profile(image, "APP1")
    in_segment = segment.removeprefix(XMP_IN_JPEG) if segment.startswith(XMP_IN_JPEG) else b""
    return _raw_profile(image, "xmp") or in_segment


def _xmp_in_gif(data: bytes) -> bytes:
    start = data.find(XMP_IN_GIF)
    end = data.find(END_OF_XMP_IN_GIF[:16], start)
    return data[start + len(XMP_IN_GIF) : end] if 0 <= start < end else b""


def _iptc(image: Image.Image) -> bytes:
    """Return IPTC-IIM records outside Photoshop's resources, as in TIFFs and PNGs."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tag_bytes(image, TiffImagePlugin.IPTC_NAA_CHUNK)
    profile = _raw_profile(image, "iptc")
    return profile if profile.startswith(b"\x1c") else b""


def _photoshop(image: Image.Image) -> bytes:
    """Return Photoshop's resources."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        parts = [part for app, part in image.applist if app == "APP13" and part.startswith(photoshop.PHOTOSHOP_HEADER)]
        return b"".join(part.removeprefix(photoshop.PHOTOSHOP_HEADER) for part in parts)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tag_bytes(image, TiffImagePlugin.PHOTOSHOP_CHUNK)
    profile = _raw_profile(image, "8bim", "iptc")
    return profile if profile.startswith((b"8BIM", photoshop.PHOTOSHOP_HEADER)) else b""


def _tag_bytes(image: TiffImagePlugin.TiffImageFile, tag: int) -> bytes:
    """Return the bytes of a TIFF's tag as they are in the file."""
    # Photoshop types captions as LONGs, of which Pillow's public interface returns only the first
    data: bytes = image.tag_v2._tagdata.get(tag, b"")
    return data if tag != TiffImagePlugin.IPTC_NAA_CHUNK or not data.startswith(b"\x1c") else data.rstrip(b"\0")


def _other_pictures(image: Image.Image) -> list[str]:
    """Return the names of other pictures in a file, except for thumbnails and previews."""
    names: list[str] = []
    if isinstance(image, MpoImagePlugin.MpoImageFile):
        kinds = [entry["Attribute"]["MPType"] for entry in (image.mpinfo or {}).get(0xB002, [])[1:]]
        names += [f"{len(kinds)} more pictures"] if any("Thumbnail" not in kind for kind in kinds) else []
    names += ["gain map"] if any("gainmap" in name for name in image.info.get("aux", ())) else []
    return names + (["depth map"] if image.info.get("depth_images") else [])


def _exif_of_tags(image: Image.Image) -> bytes:
    """Return a TIFF's tags as a block of EXIF, written anew."""
    try:
        exif = image.getexif()
        return _exif_bytes(exif) if len(exif) else b""
    except Exception:
        return b""


def _exif_bytes(exif: Image.Exif) -> bytes:
    file = io.BytesIO()
    to_directory(exif).save(file)
    return EXIF_HEADER + file.getvalue()


def to_directory(exif: Image.Exif) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return EXIF as a directory that Pillow can write; texts keep their bytes."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for tag, value in exif.items():
        if tag in STORAGE_TAGS:
            continue
        if isinstance(value, str):
            directory.tagtype[tag] = TiffTags.ASCII
        sub_ifd = exif.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else None
        directory[tag] = _as_read(value) if sub_ifd is None else {key: _as_read(item) for key, item in sub_ifd.items()}
    return directory


def _as_read(value: Any) -> Any:
    """Return text beyond ASCII as the bytes that Pillow read as Latin-1; it would write question marks."""
    return value if not isinstance(value, str) or value.isascii() else value.encode("latin-1", "replace")


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Return a file's resolution; without one Pillow returns 72 for a JPEG, 1 for a TIFF."""
    try:
        across, down = (float(number) for number in image.info.get("dpi", ()))
        if isinstance(image, JpegImagePlugin.JpegImageFile) and not image.info.get("jfif_unit"):
            image.getexif()[ExifTags.Base.XResolution]
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            image.tag_v2[TiffImagePlugin.X_RESOLUTION]
    except Exception:
        return None
    return (across, down) if 0 < across < 1e5 and 0 < down < 1e5 else None
