"""Pictures as files: read faithfully, written whole, in the format and at the quality they came in."""

import importlib.util
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import (
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from cyclegan.atomic import written_whole
from cyclegan.errors import PictureError, printable, require_extra
from cyclegan.images import exif, xmp
from cyclegan.images.cicp import missed_profile
from cyclegan.images.convention import with_channels
from cyclegan.images.deep import decode_deep, encode_png, encode_tiff, is_deep, tiff_tags, with_tags
from cyclegan.images.formats import FORMAT_OF, FORMATS
from cyclegan.images.metadata import Metadata, xmp_block_of_gif
from cyclegan.images.photoshop import segments
from cyclegan.images.picture import Picture
from cyclegan.images.plugins import register
from cyclegan.images.tiff import decode_tiff, opened
from cyclegan.images.tiff_tags import Change, brought_up_to_date

MAX_PIXELS = 178_956_970  # of one picture; where Pillow itself suspects a decompression bomb
MOST_DEFLATED = 1032  # bytes that one byte of a PNG can stand for
LARGER = "Shrink it, or let `translate` take it with --max-pixels."
CONVERT = "If it is a picture, save it as PNG, TIFF or JPEG first."
UNSUPPORTED = re.compile(
    "unsupported|not (supported|available|implemented)|(cannot|can't) handle|unknown (?!error)", re.IGNORECASE
)
QUALITY = 95  # of what was not a JPEG and becomes one, and of lossy WebP
LEAST_QUALITY = 90  # of any, unless another is asked for
MOST_IN_JPEG = 65_533  # bytes that one of its segments holds
TIFF_COMPRESSIONS = ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate")
PngImagePlugin.MAX_TEXT_CHUNK = 2**25  # bytes; programs that make pictures write down how, at length


@contextmanager
def picture_errors(path: Path) -> Iterator[None]:
    """Turn whatever a decoder says of a damaged file into a sentence that names it."""
    try:
        yield
    except PictureError as error:
        if str(error).startswith("its "):
            raise PictureError(f"cannot be read: {error}", error.hint, path) from error
        raise
    except UnidentifiedImageError as error:
        raise unidentified(path) from error
    except Image.DecompressionBombError as error:
        raise PictureError("has too many pixels.", LARGER, path) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PictureError(f"cannot be read: {error.strerror}.", "", path) from error
    except MemoryError as error:
        raise PictureError("does not fit into memory.", "", path) from error
    except Exception as error:  # decoders raise whatever they like
        raise decoder_error(path, error) from error


def decoder_error(path: Path, error: Exception) -> PictureError:
    """Return what to say of a decoder's error: damage, or a kind of file that is not read here."""
    reason = printable(error) or type(error).__name__
    if isinstance(error, KeyError) or isinstance(
        error.__cause__, KeyError
    ):  # Pillow looks bits and compressions up in tables
        return PictureError(f"cannot be read here: its coding ({reason}) is not known.", CONVERT, path)
    if isinstance(error, NotImplementedError) or UNSUPPORTED.search(reason):
        return PictureError(f"cannot be read here: {reason.rstrip('.')}.", CONVERT, path)
    return PictureError(f"is damaged: {reason.rstrip('.')}.", "", path)


def unidentified(path: Path) -> PictureError:
    """Return what to say of a file that no decoder takes; the one whose signature it bears knows why."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        return PictureError("is empty.", "", path)
    for image_format in formats(suffix):
        factory, accept = Image.OPEN[image_format]
        if accept and accept(start.ljust(16, b"\0")) is True:  # some look at bytes that are not there
            try:
                factory(io.BytesIO(path.read_bytes()), "")
            except Exception as error:  # which `Image.open` has kept to itself
                return decoder_error(path, error)
    if suffix and suffix not in FORMAT_OF:
        return PictureError(f"cannot be read here: {printable(suffix)} is none of the known formats.", CONVERT, path)
    return PictureError("is not a picture in a format that can be read.", CONVERT, path)


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read one picture, upright, in sRGB; a file that cannot be read is a `PictureError` that names it."""
    if FORMAT_OF.get(path.suffix.lower()) == "HEIF":
        require_extra("pillow_heif", "heic")
    with picture_errors(path), opened(path, formats(path.suffix)) as image:
        if image.width * image.height > max_pixels:
            raise PictureError(f"has {image.width} x {image.height} pixels, more than {max_pixels:,}.", LARGER, path)
        if not may_be_whole(image, path.stat().st_size):
            raise PictureError("is damaged: it holds fewer rows than it says.", "", path)
        if profile := missed_profile(image, path):
            image.info["icc_profile"] = profile
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            picture = decode_tiff(image, path)
        elif is_deep(image, path):
            picture = decode_deep(image, path.read_bytes())
        else:
            image.load()
            picture = Picture.from_image(image)
        if picture.profile != (image.info.get("icc_profile") or picture.profile):
            return picture  # in other colours than those that its encoding was chosen for
        return replace(picture, encoding=encoding_of(image, path))


def may_be_whole(image: Image.Image, size: int) -> bool:
    """Tell whether an opened PNG or TIFF of so many bytes can hold all that it says; Pillow leaves the rest black."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        parts = [part[1] for part in image.tile if part[1]]
        covered = sum((right - left) * (bottom - top) for left, top, right, bottom in parts)
    else:
        covered = 8 * MOST_DEFLATED * size if image.format == "PNG" else image.width * image.height
    return covered >= image.width * image.height


@cache
def formats(suffix: str = "") -> tuple[str, ...]:
    """Return Pillow's names of the formats that are looked for in a file of this suffix.

    A TGA has no signature: any bytes may pass for one, so it is known by its name alone.
    """
    if importlib.util.find_spec("pillow_heif"):
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
    Image.init()
    register()
    named = FORMAT_OF.get(suffix.lower())
    return tuple(name for name in sorted(FORMATS) if name in Image.OPEN and (name != "TGA" or name == named))


def encoding_of(image: Image.Image, path: Path) -> dict[str, Any]:
    """Return how a file's format was used, as Pillow's `save` takes it; never worse than `LEAST_QUALITY`."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        return _jpeg_encoding(image)
    if image.format == "WEBP":
        return {"lossless": True} if is_lossless_webp(path.read_bytes()) else {}
    if image.format == "TIFF":
        compression = image.info.get("compression")
        return {"compression": compression if compression in TIFF_COMPRESSIONS else "tiff_adobe_deflate"}
    if image.format == "TGA":
        return {"compression": image.info.get("compression")}
    if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        return {"no_jp2": image.codec == "j2k"}
    return {}


def is_lossless_webp(data: bytes) -> bool:
    """Tell whether a WebP's picture, or its first frame, is coded without loss."""
    place = 12
    while place + 8 <= len(data):
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
        # an animation's frame is a chunk of chunks, behind 16 bytes of its own
        place += 24 if kind == b"ANMF" else 8 + length + length % 2
    return False


def _jpeg_encoding(image: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    """Return a JPEG's own tables if they are fine enough, else the least quality; sampling and order as they were."""
    encoding: dict[str, Any] = {"progressive": True} if image.info.get("progressive") else {}
    sampling = JpegImagePlugin.get_sampling(image)
    if sampling >= 0 or image.mode == "RGB":
        encoding["subsampling"] = max(sampling, 0)  # what Pillow has no name for becomes the finest
    tables = image.quantization
    if tables and np.mean(tables[min(tables)]) <= _mean_step(LEAST_QUALITY):
        return encoding | {"qtables": tables}
    return encoding | {"quality": LEAST_QUALITY}


@cache
def _mean_step(quality: int) -> float:
    """Return how coarse a JPEG of this quality is: the mean of its luminance table."""
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        return float(np.mean(image.quantization[0]))


def write_picture(picture: Picture, path: Path, image_format: str, *, quality: int | None = None) -> None:
    """Write a picture whole or not at all; what the format cannot hold is a `PictureError`.

    `quality` is that of a lossy format, 1 to 100; 0: as good as it was, and never worse than 90.
    """
    height, width = picture.pixels.shape[:2]
    with written_whole(path) as aside:
        try:
            metadata = picture.metadata.with_size(width, height)
            metadata = replace(metadata, exif=brought_up_to_date(metadata.exif, change_of(picture)))
            picture = replace(picture, metadata=metadata)
            if holds_deep(picture, image_format):
                encode = encode_png if image_format == "PNG" else encode_tiff
                aside.write_bytes(encode(picture))
            else:
                _save(picture, aside, image_format, quality)
        except Exception as error:  # encoders too raise whatever they like
            if isinstance(error, OSError) and error.errno is not None:
                raise  # it is the disk's
            reason = f"cannot be written as {image_format}: {printable(error)}."
            raise PictureError(reason, "Choose another --format.", path) from error


def change_of(picture: Picture) -> Change:
    """Return what became of a picture since its file was read."""
    height, width = picture.pixels.shape[:2]
    before = picture.file_size or (width, height)
    channels = picture.channels + (picture.alpha is not None)
    return Change(
        scale=(width / before[0], height / before[1]),
        shape=(height, width, channels) if channels > 1 else (height, width),
        dtype=picture.samples.dtype if picture.samples else f"uint{picture.bits}",
    )


def holds_deep(picture: Picture, image_format: str) -> bool:
    """Tell whether a picture of 16 bits is written as such, and not by Pillow."""
    if image_format == "TIFF":
        return picture.samples is not None or (picture.bits == 16 and picture.mode not in ("I", "F"))
    return picture.bits == 16 and image_format == "PNG"


def _save(picture: Picture, path: Path, image_format: str, quality: int | None) -> None:
    image = fitting(picture, image_format)
    options = picture.encoding if picture.format == image_format else {}
    if FORMATS[image_format].lossy:
        options = options or {"quality": QUALITY} | ({"subsampling": 0} if image_format == "JPEG" else {})
        if quality:
            options = {key: options[key] for key in ("subsampling", "progressive") if key in options}
            options |= {"quality": quality}
    kept = metadata_options(picture.metadata, image_format)
    image.save(path, format=image_format, **options, **kept, icc_profile=image.info.get("icc_profile"))
    if image_format == "TIFF":
        path.write_bytes(with_tags(path.read_bytes(), tiff_tags(picture.metadata)))
    if image_format == "GIF" and picture.metadata.xmp:
        path.write_bytes(path.read_bytes().removesuffix(b";") + xmp_block_of_gif(picture.metadata.xmp) + b";")


def fitting(picture: Picture, image_format: str) -> Image.Image:
    """Return a Pillow image in the nearest mode that the format holds; transparency becomes white if it must."""
    modes = FORMATS[image_format].modes
    if not FORMATS[image_format].profile:
        picture = replace(picture, profile=None)
    if picture.mode not in modes:
        grey = picture.channels == 1 and "L" in modes
        same_space = grey == (picture.channels == 1) and picture.mode != "CMYK"
        picture = replace(
            picture,
            pixels=picture.pixels if grey else with_channels(picture.pixels, 3),
            mode="L" if grey else "RGB",
            profile=picture.profile if same_space else None,
        )
    image = picture.to_image()
    if image.mode in modes:
        return image
    return image.convert("RGBA") if "RGBA" in modes else _on_white(image)


def _on_white(image: Image.Image) -> Image.Image:
    """Flatten a transparent image for a format that has no transparency."""
    rgba = image.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    flat.info = image.info
    return flat.convert("L" if image.mode == "LA" else "RGB")


def metadata_options(metadata: Metadata, image_format: str) -> dict[str, Any]:
    """Return what a format keeps of a picture's metadata, as Pillow's `save` takes it."""
    options: dict[str, Any] = {}
    if image_format in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
        options |= _exif_options(metadata.exif, image_format) if metadata.exif else {}
    if image_format in ("JPEG", "WEBP", "AVIF", "HEIF"):
        most = MOST_IN_JPEG - 29 if image_format == "JPEG" else len(metadata.xmp)  # less the name that goes before it
        options |= {"xmp": xmp.fitting(metadata.xmp, most)} if metadata.xmp else {}
    if image_format in ("JPEG", "GIF"):
        options |= {"comment": metadata.comment[:MOST_IN_JPEG]} if metadata.comment else {}
    if image_format in ("JPEG", "PNG", "TIFF", "BMP"):
        options |= {"dpi": metadata.dpi} if metadata.dpi else {}
    if image_format == "JPEG":
        options["extra"] = options.get("extra", b"") + metadata.jpeg_segments()
    if image_format == "PNG":
        options["pnginfo"] = _png_info(metadata)
    return options


def _exif_options(block: bytes, image_format: str) -> dict[str, Any]:
    """Return EXIF as Pillow's `save` takes it."""
    if image_format in ("AVIF", "HEIF"):
        # the format itself says how the picture is turned, and Pillow writes EXIF anew that says it too
        return {"exif": exif.without_orientation(block)}
    if image_format == "JPEG" and len(block) > MOST_IN_JPEG:
        return {"extra": segments(0xE1, exif.HEADER, block.removeprefix(exif.HEADER))}
    return {"exif": block}


def _png_info(metadata: Metadata) -> PngImagePlugin.PngInfo:
    """Return the texts of a PNG."""
    info = PngImagePlugin.PngInfo()
    for key, text in metadata.text.items():
        info.add_itxt(key, text)
    for key, text in metadata.png_texts().items():
        info.add_text(key, text, zip=True)
    if metadata.xmp:
        info.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode(errors="replace"))
    return info
