"""Writes TIFFs of 16 bits and of other sample formats, and adds tags to those that Pillow writes."""

import io
import zlib
from itertools import accumulate

import numpy as np
from imagecodecs import lzw_encode, packbits_encode
from PIL import Image, TiffImagePlugin, TiffTags
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, PREDICTOR

from cyclegan.images.metadata import Metadata, to_directory
from cyclegan.images.picture import Picture
from cyclegan.images.pixels import stack_alpha, with_channels

COMPRESSIONS = {
    "raw": COMPRESSION.NONE,
    "tiff_lzw": COMPRESSION.LZW,
    "packbits": COMPRESSION.PACKBITS,
}  # Pillow's names
SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}  # by NumPy's kinds


def encode_tiff(picture: Picture) -> bytes:
    """Return a TIFF file of 16 bits per channel, or of the picture's sample format, in its compression."""
    values, profile = picture.file_values()
    if picture.alpha is not None and picture.format != "TIFF":
        values = with_channels(values, 3)  # hardly any program opens a TIFF of gray with alpha
    values = stack_alpha(values, picture.alpha)
    samples = picture.sample_format.to_samples(values) if picture.sample_format else values
    compression = COMPRESSIONS.get(picture.encoding.get("compression", ""), COMPRESSION.ADOBE_DEFLATE)
    strip, predictor = _compress(samples, compression)

    tags = metadata_tags(picture.metadata)
    height, width, channels = samples.shape
    tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH], tags[TiffImagePlugin.ROWSPERSTRIP] = (
        width,
        height,
        height,
    )
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.BITSPERSAMPLE] = (samples.dtype.itemsize * 8,) * channels
    tags[TiffImagePlugin.SAMPLEFORMAT] = (SAMPLE_FORMATS[samples.dtype.kind],) * channels
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = int(PHOTOMETRIC.MINISBLACK if channels < 3 else PHOTOMETRIC.RGB)
    tags[TiffImagePlugin.COMPRESSION], tags[TiffImagePlugin.PREDICTOR] = int(compression), int(predictor)
    tags[TiffImagePlugin.STRIPOFFSETS] = (0,)  # behind the tags; Pillow adds their length
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = (len(strip),)
    if picture.metadata.dpi:
        tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = picture.metadata.dpi
        tags[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inch
    if picture.alpha is not None:
        tags[TiffImagePlugin.EXTRASAMPLES] = (int(EXTRASAMPLE.UNASSALPHA),)
    if profile:
        tags[TiffImagePlugin.ICCPROFILE] = profile
    tags.save(file := io.BytesIO())
    return file.getvalue() + strip


def _compress(samples: np.ndarray, compression: COMPRESSION) -> tuple[bytes, PREDICTOR]:
    """Return all rows as one compressed strip, and its predictor."""
    little_endian = samples.astype(samples.dtype.newbyteorder("<"))
    if compression == COMPRESSION.NONE:
        return little_endian.tobytes(), PREDICTOR.NONE
    if compression == COMPRESSION.PACKBITS:
        return bytes(packbits_encode(little_endian.view(np.uint8).reshape(len(samples), -1))), PREDICTOR.NONE
    predictor = PREDICTOR.NONE if samples.dtype.kind == "f" else PREDICTOR.HORIZONTAL
    differences = little_endian.copy()
    if predictor == PREDICTOR.HORIZONTAL:
        differences[:, 1:] -= little_endian[:, :-1]  # modulo the range of the type
    data = differences.tobytes()
    return bytes(lzw_encode(data)) if compression == COMPRESSION.LZW else zlib.compress(data, 6), predictor


def with_tags(data: bytes, tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytes:
    """Return a TIFF that Pillow wrote with more tags: its encoder of compressed pixels takes no EXIF or GPS."""
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)
        written = image.tag_v2
        positions = zip(written[TiffImagePlugin.STRIPOFFSETS], written[TiffImagePlugin.STRIPBYTECOUNTS], strict=True)
        strips = [data[start : start + size] for start, size in positions]
        for tag, value in written.items():
            tags[tag] = value
    tags[TiffImagePlugin.STRIPOFFSETS] = tuple(accumulate((len(strip) for strip in strips[:-1]), initial=0))
    tags.save(file := io.BytesIO())
    return file.getvalue() + b"".join(strips)


def metadata_tags(metadata: Metadata) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return a TIFF's tags for metadata: EXIF with its directories, XMP, IPTC and Photoshop's resources."""
    exif = Image.Exif()
    exif.load(metadata.exif)
    tags = to_directory(exif)
    if metadata.xmp:
        tags[TiffImagePlugin.XMP] = metadata.xmp
    for tag, data in (
        (TiffImagePlugin.IPTC_NAA_CHUNK, metadata.iptc),
        (TiffImagePlugin.PHOTOSHOP_CHUNK, metadata.photoshop),
    ):
        if data:
            tags[tag] = data
            tags.tagtype[tag] = TiffTags.UNDEFINED
    return tags
