"""Pictures of 16 bits a channel in colour or with transparency, for which Pillow has no mode.

Pillow reads their headers and everything beside the pixels; imagecodecs (libpng, libtiff) the pixels.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from imagecodecs import png_decode, png_encode, tiff_decode
from PIL import Image, TiffImagePlugin

from cyclegan.errors import PictureError
from cyclegan.images.convention import Pixels, with_channels
from cyclegan.images.metadata import Metadata, tags_of
from cyclegan.images.picture import Alpha, Picture

MODES = {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}
BITS_PER_SAMPLE, PHOTOMETRIC, PLANAR, EXTRA_SAMPLES = 258, 262, 284, 338
APART = 2  # planar configuration: each channel by itself
ASSOCIATED = 1  # of an extra sample: alpha, and the colours are multiplied by it
RGB, GREY = 2, 1  # photometric interpretations


def is_deep(image: Image.Image, path: Path) -> bool:
    """Tell whether an opened file holds 16 bits a channel in a way that Pillow would cut to 8."""
    if image.format == "PNG":
        with path.open("rb") as file:
            depth, colour = file.read(26)[24:]  # of the IHDR chunk, which comes first
        return depth == 16 and (colour in (2, 4, 6) or "transparency" in image.info)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2.get(BITS_PER_SAMPLE, ())
        return len(bits) in (3, 4) and set(bits) == {16} and image.tag_v2.get(PHOTOMETRIC) == RGB
    return False


def decode_deep(image: Image.Image, data: bytes) -> Picture:
    """Return the picture in a file's bytes, which Pillow has opened as `image`."""
    decode = png_decode if image.format == "PNG" else tiff_decode
    levels: np.ndarray = decode(data)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PLANAR) == APART:
        levels = np.moveaxis(levels, 0, -1)
    if levels.dtype != np.uint16 or levels.ndim != 3 or sorted(levels.shape[:2]) != sorted(image.size):
        raise PictureError(f"its pixels are laid out as {levels.dtype} {levels.shape}, which cannot be read.")
    mode = MODES[levels.shape[2]]
    if levels.shape[2] == 3:
        return Picture.from_levels(levels, None, mode, image)
    colours, alpha = levels[..., :-1], levels[..., -1]
    if ASSOCIATED in _extra_samples(image):
        colours = np.rint(colours * (65535 / np.maximum(alpha, 1))[..., None]).clip(0, 65535).astype(np.uint16)
    return Picture.from_levels(np.ascontiguousarray(colours), np.ascontiguousarray(alpha), mode, image)


def _extra_samples(image: Image.Image) -> tuple[int, ...]:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return ()
    return tuple(image.tag_v2.get(EXTRA_SAMPLES, ()))


def encode_png(picture: Picture) -> bytes:
    """Return a PNG file of 16 bits a channel."""
    levels, profile = picture.stored()
    metadata = picture.metadata
    data = bytes(png_encode(_with_alpha(levels, picture.alpha), level=6))
    chunks = b""
    if profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    if metadata.dpi:
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *(round(dpi / 0.0254) for dpi in metadata.dpi), 1))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    if metadata.xmp:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    for key, text in metadata.text.items():
        chunks += _chunk(b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode())
    header = 8 + 25  # bytes of the signature and of the IHDR chunk, behind which these belong
    return data[:header] + chunks + data[header:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def encode_tiff(picture: Picture) -> bytes:
    """Return a TIFF file of 16 bits a channel, deflated unless it was stored raw."""
    levels, profile = picture.stored()
    metadata, alpha = picture.metadata, picture.alpha
    raw = picture.encoding.get("compression") == "raw"
    if alpha is not None:
        levels = with_channels(levels, 3)  # hardly anybody opens a TIFF of grey with transparency
    samples = _with_alpha(levels, alpha)
    samples = samples[..., None] if samples.ndim == 2 else samples
    steps = samples.copy()
    if not raw:
        steps[:, 1:] -= samples[:, :-1]  # the predictor: each pixel less the one to its left
    strip = steps.astype("<u2").tobytes()
    strip = strip if raw else zlib.compress(strip, 6)

    tags = tiff_tags(metadata)
    tags[256], tags[257] = samples.shape[1], samples.shape[0]
    tags[BITS_PER_SAMPLE] = (16,) * samples.shape[2]
    tags[259] = 1 if raw else 8  # compression: none, or deflate
    tags[PHOTOMETRIC] = GREY if samples.shape[2] < 3 else RGB
    tags[273] = (0,)  # where the strip is: behind the tags, which Pillow counts
    tags[277] = samples.shape[2]
    tags[278] = samples.shape[0]  # rows in the one strip
    tags[279] = (len(strip),)
    tags[317] = 1 if raw else 2  # predictor: none, or horizontal differences
    if metadata.dpi:
        tags[282], tags[283], tags[296] = *metadata.dpi, 2
    if alpha is not None:
        tags[EXTRA_SAMPLES] = (2,)  # alpha, and the colours are not multiplied by it
    if profile:
        tags[34675] = profile
    file = io.BytesIO()
    tags.save(file)
    return file.getvalue() + strip


def tiff_tags(metadata: Metadata) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return a TIFF's tags for what is said beside the pixels: EXIF, its directories, and XMP."""
    exif = Image.Exif()
    exif.load(metadata.exif)
    tags = tags_of(exif)
    if metadata.xmp:
        tags[700] = metadata.xmp
    return tags


def _with_alpha(levels: Pixels, alpha: Alpha | None) -> np.ndarray:
    """Return levels with alpha as their last channel, or h w alone if there is but one."""
    if alpha is None:
        return levels[..., 0] if levels.shape[2] == 1 else levels
    return np.concatenate([levels, alpha[..., None]], axis=2)
