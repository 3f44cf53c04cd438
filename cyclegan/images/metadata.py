"""What a picture's file says beside its pixels."""

import io
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import ExifTags, GifImagePlugin, Image, JpegImagePlugin, MpoImagePlugin, TiffImagePlugin, TiffTags

from cyclegan.images import exif as exif_blocks
from cyclegan.images import photoshop
from cyclegan.images import xmp as packets

# tags of a TIFF that hold the original again, or point to it: the layers of Photoshop, ImageJ's labels and overlays of
# every slice, planes of MetaMorph and Zeiss
ORIGINAL_TAGS = {33628, 33629, 33630, 33631, 34412, 37724, 50838, 50839}
# tags of a TIFF that say how its pixels are stored, or that are kept elsewhere
STORAGE_TAGS = {
    *range(254, 260), 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292, 293, 297,
    301, exif_blocks.ORIENTATION, 317, 318, 319, 320, *range(321, 348), 512, 513, 514, 515, 517, 518, 519, 520, 521,
    529, 530, 531, 532, 700, 33723, 34377, 34675, *ORIGINAL_TAGS,
}  # fmt: skip
IPTC_TAG, PHOTOSHOP_TAG = 33723, 34377
XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
XMP_IN_GIF = b"\x21\xff\x0bXMP DataXMP"
# leads a reader of blocks safely over the packet (Adobe's XMP specification, part 3, 2020)
END_OF_XMP_IN_GIF = b"\x01" + bytes(range(255, -1, -1)) + b"\0"


@dataclass(frozen=True)
class Metadata:
    """What is kept of a file's words about its picture."""

    exif: bytes = b""  # of upright pixels, without thumbnail
    xmp: bytes = b""
    iptc: bytes = b""  # IPTC-IIM records
    photoshop: bytes = b""  # Photoshop's other image resources
    text: dict[str, str] = field(default_factory=dict)  # of a PNG
    comment: bytes = b""  # of a JPEG or GIF
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()  # what of the file is not kept, each a sentence

    @classmethod
    def of_image(cls, image: Image.Image) -> "Metadata":
        """Take what a Pillow image knows."""
        block = exif_block(image)
        exif, damaged = exif_blocks.cleaned(block) if block else (_exif_of_tags(image), "")
        xmp, lost = packets.cleaned(_xmp(image))
        lost = list(dict.fromkeys([*lost, *_other_pictures(image)]))
        iptc, resources = photoshop.split(_photoshop(image))
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
            notes=tuple(note for note in (damaged, f"Left out: {', '.join(lost)}." if lost else "") if note),
        )

    def with_size(self, width: int, height: int) -> "Metadata":
        """Return the same with the pixel sizes that EXIF and XMP name, where they do, corrected."""
        exif = exif_blocks.with_size(self.exif, width, height)
        return replace(self, exif=exif, xmp=packets.with_size(self.xmp, width, height))

    def marked(self, system: str, *, composite: bool) -> "Metadata":
        """Return the same with the mark that `system` made the picture, or blended its own into the original."""
        return replace(self, xmp=packets.marked(self.xmp, system, composite=composite))

    def png_texts(self) -> dict[str, str]:
        """Return captions and resources as a PNG's texts hold them, the way of ImageMagick and exiftool."""
        if self.photoshop:
            return {"Raw profile type 8bim": raw_profile("8bim", photoshop.joined(self.iptc, self.photoshop))}
        return {"Raw profile type iptc": raw_profile("iptc", self.iptc)} if self.iptc else {}

    def jpeg_segments(self) -> bytes:
        """Return captions and resources as segments of a JPEG (APP13)."""
        return photoshop.segments(0xED, photoshop.HEADER, photoshop.joined(self.iptc, self.photoshop))


def orientation_of(image: Image.Image) -> int:
    """Return how the stored pixels are turned, by EXIF or XMP: 1 (upright) to 8."""
    with suppress(Exception):
        said = exif_blocks.orientation(exif_block(image)) or image.getexif().get(exif_blocks.ORIENTATION, 1)
        return said if said in range(1, 9) else 1
    return 1


def exif_block(image: Image.Image) -> bytes:
    """Return the bytes of a file's EXIF, those of a TIFF not among them, whose tags are its own."""
    block: bytes = image.info.get("exif") or b""
    for kind in ("exif", "APP1"):
        profile = b"" if block else _raw_profile(image, kind)
        block = profile if profile.startswith(exif_blocks.HEADER) else block
    return block


def raw_profile(kind: str, data: bytes) -> str:
    """Return data as the hexadecimal text that PNGs keep it in."""
    text = data.hex()
    lines = "\n".join(text[place : place + 72] for place in range(0, len(text), 72))
    return f"\n{kind}\n{len(data):8d}\n{lines}\n"


def _raw_profile(image: Image.Image, *kinds: str) -> bytes:
    """Return the first of some kinds of data that a PNG's texts hold."""
    for kind in kinds:
        text = image.info.get(f"Raw profile type {kind}")
        found = re.match(r"\s*[^\n]*\n\s*\d+\s*\n([0-9A-Fa-f\s]*)", text) if isinstance(text, str) else None
        with suppress(ValueError):
            if found:
                return bytes.fromhex(found[1])
    return b""


def xmp_block_of_gif(xmp: bytes) -> bytes:
    """Return the block that holds an XMP packet in a GIF, before its trailer."""
    return XMP_IN_GIF + xmp + END_OF_XMP_IN_GIF if xmp else b""


def _xmp(image: Image.Image) -> bytes:
    """Return a file's XMP packet."""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if found:
        return found.encode() if isinstance(found, str) else bytes(found)
    if isinstance(image, GifImagePlugin.GifImageFile):
        with suppress(OSError):
            return _xmp_in_gif(Path(str(image.filename)).read_bytes())
    profile = _raw_profile(image, "xmp")
    return profile or next(
        (part.removeprefix(XMP_IN_JPEG) for part in [_raw_profile(image, "APP1")] if part.startswith(XMP_IN_JPEG)), b""
    )


def _xmp_in_gif(data: bytes) -> bytes:
    start = data.find(XMP_IN_GIF)
    end = data.find(END_OF_XMP_IN_GIF[:16], start)
    return data[start + len(XMP_IN_GIF) : end] if 0 <= start < end else b""


def _iptc(image: Image.Image) -> bytes:
    """Return IPTC-IIM records that stand by themselves, as in TIFFs and PNGs."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tag_bytes(image, IPTC_TAG)
    profile = _raw_profile(image, "iptc")
    return profile if profile.startswith(b"\x1c") else b""


def _photoshop(image: Image.Image) -> bytes:
    """Return Photoshop's resources."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        parts = [part for app, part in image.applist if app == "APP13" and part.startswith(photoshop.HEADER)]
        return b"".join(part.removeprefix(photoshop.HEADER) for part in parts)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tag_bytes(image, PHOTOSHOP_TAG)
    profile = _raw_profile(image, "8bim", "iptc")
    return profile if profile.startswith((b"8BIM", photoshop.HEADER)) else b""


def _tag_bytes(image: TiffImagePlugin.TiffImageFile, tag: int) -> bytes:
    """Return the bytes of a TIFF's tag as they are in the file."""
    # Photoshop calls captions LONGs, of which Pillow's public interface gives the first alone
    data: bytes = image.tag_v2._tagdata.get(tag, b"")
    return data if tag != IPTC_TAG or not data.startswith(b"\x1c") else data.rstrip(b"\0")


def _other_pictures(image: Image.Image) -> list[str]:
    """Return what a file holds beside its picture, thumbnails and previews aside."""
    found: list[str] = []
    if isinstance(image, MpoImagePlugin.MpoImageFile):
        kinds = [entry["Attribute"]["MPType"] for entry in (image.mpinfo or {}).get(0xB002, [])[1:]]
        found += [f"{len(kinds)} more pictures"] if any("Thumbnail" not in kind for kind in kinds) else []
    found += ["gain map"] if any("gainmap" in name for name in image.info.get("aux", ())) else []
    return found + (["depth map"] if image.info.get("depth_images") else [])


def _exif_of_tags(image: Image.Image) -> bytes:
    """Return a TIFF's tags as a block of EXIF, written anew."""
    try:
        exif = image.getexif()
        return _exif_bytes(exif) if len(exif) else b""
    except Exception:
        return b""


def _exif_bytes(exif: Image.Exif) -> bytes:
    file = io.BytesIO()
    tags_of(exif).save(file)
    return exif_blocks.HEADER + file.getvalue()


def tags_of(exif: Image.Exif) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return a directory of tags, ready to be written; text keeps the very bytes that it was read from."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    for tag, value in exif.items():
        if tag in STORAGE_TAGS:
            continue
        if isinstance(value, str):
            directory.tagtype[tag] = TiffTags.ASCII
        inner = exif.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else None
        directory[tag] = _as_read(value) if inner is None else {name: _as_read(found) for name, found in inner.items()}
    return directory


def _as_read(value: Any) -> Any:
    """Return text that is not ASCII as the bytes that Pillow read as Latin-1; it would write question marks."""
    return value if not isinstance(value, str) or value.isascii() else value.encode("latin-1", "replace")


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution that a file names; Pillow says 72 of a JPEG that names none."""
    try:
        across, down = (float(number) for number in image.info.get("dpi", ()))
        if isinstance(image, JpegImagePlugin.JpegImageFile) and not image.info.get("jfif_unit"):
            image.getexif()[ExifTags.Base.XResolution]
    except Exception:
        return None
    return (across, down) if 0 < across < 1e5 and 0 < down < 1e5 else None
