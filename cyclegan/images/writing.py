"""Writes a picture file, whole or not at all, in the format and at the quality of its source."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from cyclegan.atomic import atomic_write
from cyclegan.errors import PictureError
from cyclegan.images import exif, xmp
from cyclegan.images.encoding import encoding_options
from cyclegan.images.exif_block import EXIF_HEADER
from cyclegan.images.formats import FORMATS
from cyclegan.images.metadata import XMP_IN_PNG, Metadata, gif_xmp_block
from cyclegan.images.photoshop import MAX_SEGMENT_BYTES, jpeg_segments
from cyclegan.images.picture import Picture
from cyclegan.images.pixels import with_channels
from cyclegan.images.png_16_bit import encode_png
from cyclegan.images.tiff_tags import FileChange, update_tags
from cyclegan.images.tiff_writing import encode_tiff, metadata_tags, with_tags
from cyclegan.text import printable

XMP_HEADER_BYTES = 29  # of the name before a packet in a JPEG


def write_picture(picture: Picture, path: Path, image_format: str, *, quality: int | None = None) -> None:
    """Write a picture; one that the format cannot hold is a `PictureError`.

    `quality` (1 to 100) is for lossy formats; without it the source's is kept, and 90 is the least for JPEGs.
    """
    with atomic_write(path) as temporary:
        try:
            picture = replace(picture, metadata=_metadata_of_output(picture))
            if is_written_with_16_bits(picture, image_format):
                encode = encode_png if image_format == "PNG" else encode_tiff
                temporary.write_bytes(encode(picture))
            else:
                _save(picture, temporary, image_format, quality)
        except Exception as error:  # encoders raise errors of any type
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's
            reason = f"cannot be written as {image_format}: {printable(error)}."
            raise PictureError(reason, "Choose another --format.", path) from error


def _metadata_of_output(picture: Picture) -> Metadata:
    """Return the metadata with the size, scale and type of the pixels that are written."""
    height, width = picture.pixels.shape[:2]
    before = picture.file_size or (width, height)
    channels = picture.channels + (picture.alpha is not None)
    change = FileChange(
        scale=(width / before[0], height / before[1]),
        shape=(height, width, channels) if channels > 1 else (height, width),
        dtype=picture.sample_format.dtype if picture.sample_format else f"uint{picture.bits}",
    )
    metadata = picture.metadata.with_size(width, height)
    return replace(metadata, exif=update_tags(metadata.exif, change))


def is_written_with_16_bits(picture: Picture, image_format: str) -> bool:
    """Tell whether a picture needs a writer of 16 bits (or of other TIFF samples), which Pillow has not."""
    if image_format == "TIFF":
        return picture.sample_format is not None or (picture.bits == 16 and picture.mode not in ("I", "F"))
    return picture.bits == 16 and image_format == "PNG"


def _save(picture: Picture, path: Path, image_format: str, quality: int | None) -> None:
    """Write with Pillow, then add the metadata that its writers do not take."""
    metadata = picture.metadata
    image = to_writable_image(picture, image_format)
    options = encoding_options(picture.encoding if picture.format == image_format else {}, image_format, quality)
    options |= metadata_options(metadata, image_format)
    image.save(path, format=image_format, icc_profile=image.info.get("icc_profile"), **options)
    if image_format == "TIFF":
        path.write_bytes(with_tags(path.read_bytes(), metadata_tags(metadata)))
    if image_format == "GIF" and metadata.xmp:
        path.write_bytes(path.read_bytes().removesuffix(b";") + gif_xmp_block(metadata.xmp) + b";")


def to_writable_image(picture: Picture, image_format: str) -> Image.Image:
    """Return a Pillow image in the nearest mode that the format holds; without alpha, transparency becomes white."""
    modes = FORMATS[image_format].modes
    if not FORMATS[image_format].profile:
        picture = replace(picture, profile=None)
    if picture.mode not in modes:
        gray = picture.channels == 1 and "L" in modes
        same_space = gray == (picture.channels == 1) and picture.mode != "CMYK"
        picture = replace(
            picture,
            pixels=picture.pixels if gray else with_channels(picture.pixels, 3),
            mode="L" if gray else "RGB",
            profile=picture.profile if same_space else None,
        )
    image = picture.to_image()
    if image.mode in modes:
        return image
    return image.convert("RGBA") if "RGBA" in modes else _on_white(image)


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    flat.info = image.info
    return flat.convert("L" if image.mode == "LA" else "RGB")


def metadata_options(metadata: Metadata, image_format: str) -> dict[str, Any]:
    """Return the metadata that a format holds, as options of Pillow's `save`."""
    options: dict[str, Any] = {}
    if image_format in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF") and metadata.exif:
        options |= _exif_options(metadata.exif, image_format)
    if image_format in ("JPEG", "WEBP", "AVIF", "HEIF") and metadata.xmp:
        max_bytes = MAX_SEGMENT_BYTES - XMP_HEADER_BYTES if image_format == "JPEG" else len(metadata.xmp)
        options["xmp"] = xmp.shorten(metadata.xmp, max_bytes)
    if image_format in ("JPEG", "GIF") and metadata.comment:
        options["comment"] = metadata.comment[:MAX_SEGMENT_BYTES]
    if image_format in ("JPEG", "PNG", "TIFF", "BMP") and metadata.dpi:
        options["dpi"] = metadata.dpi
    if image_format == "JPEG":
        options["extra"] = options.get("extra", b"") + metadata.jpeg_segments()
    if image_format == "PNG":
        options["pnginfo"] = _png_info(metadata)
    return options


def _exif_options(block: bytes, image_format: str) -> dict[str, Any]:
    if image_format in ("AVIF", "HEIF"):
        # the format itself says how the picture is turned, and Pillow would write it into both
        return {"exif": exif.without_orientation(block)}
    if image_format == "JPEG" and len(block) > MAX_SEGMENT_BYTES:
        return {"extra": jpeg_segments(0xE1, EXIF_HEADER, block.removeprefix(EXIF_HEADER))}
    return {"exif": block}


def _png_info(metadata: Metadata) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, text in metadata.text.items():
        info.add_itxt(key, text)
    for key, text in metadata.png_texts().items():
        info.add_text(key, text, zip=True)
    if metadata.xmp:
        info.add_itxt(XMP_IN_PNG, metadata.xmp.decode(errors="replace"))
    return info
