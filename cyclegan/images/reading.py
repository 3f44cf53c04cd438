"""Reads a picture file: pixels EXIF-transposed and in sRGB, and everything needed to write it back as it was."""

from dataclasses import replace
from pathlib import Path

from PIL import Image, PngImagePlugin, TiffImagePlugin

from cyclegan.errors import PictureError, require_extra
from cyclegan.images.cicp import profile_from_code_points
from cyclegan.images.decoding_errors import TOO_LARGE_HINT, picture_errors
from cyclegan.images.encoding import read_encoding
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.picture import Picture
from cyclegan.images.plugins import readable_formats
from cyclegan.images.png_16_bit import decode_png, has_16_bits
from cyclegan.images.tiff import decode_tiff, open_image

MAX_PIXELS = 178_956_970  # of one picture; where Pillow itself suspects a decompression bomb
MAX_DEFLATE_RATIO = 1032  # decompressed bytes per byte of a PNG
PngImagePlugin.MAX_TEXT_CHUNK = 2**25  # bytes; programs that generate pictures describe how, at length


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read one picture; a file that cannot be read is a `PictureError` that names it."""
    if FORMAT_OF.get(path.suffix.lower()) == "HEIF":
        require_extra("pillow_heif", "heic")
    formats = readable_formats(path.suffix)
    with picture_errors(path), open_image(path, formats) as image:
        # Both checks come before decoding: a bomb would fill the memory, and Pillow leaves missing rows black.
        if image.width * image.height > max_pixels:
            raise PictureError(
                f"has {image.width} x {image.height} pixels, more than {max_pixels:,}.", TOO_LARGE_HINT, path
            )
        if not may_be_complete(image, path.stat().st_size):
            raise PictureError("is damaged: it holds fewer rows than it says.", "", path)
        if profile := profile_from_code_points(image, path):
            image.info["icc_profile"] = profile
        picture = _decode(image, path)
        if picture.profile != (image.info.get("icc_profile") or picture.profile):
            return picture  # now in sRGB: the file's encoding was chosen for other colors
        return replace(picture, encoding=read_encoding(image, path))


def _decode(image: Image.Image, path: Path) -> Picture:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return decode_tiff(image, path)
    if has_16_bits(image, path):
        return decode_png(image, path.read_bytes())
    image.load()
    return Picture.from_image(image)


def may_be_complete(image: Image.Image, file_bytes: int) -> bool:
    """Tell whether an opened PNG or TIFF of this size can hold all its rows."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        boxes = [tile[1] for tile in image.tile if tile[1]]
        covered = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    else:
        covered = 8 * MAX_DEFLATE_RATIO * file_bytes if image.format == "PNG" else image.width * image.height
    return covered >= image.width * image.height
