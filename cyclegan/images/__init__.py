"""Pictures: the pixel convention, and reading and writing them faithfully."""

from cyclegan.images.formats import FORMAT_OF, FORMATS
from cyclegan.images.picture import Picture
from cyclegan.images.pixels import (
    Images,
    Pixels,
    PixelValues,
    blended,
    resized,
    scaled,
    scaled_on,
    size_with_short_side,
    to_images,
    to_pixels,
    with_bits,
    with_channels,
)
from cyclegan.images.reading import MAX_PIXELS, read_picture
from cyclegan.images.writing import write_picture

__all__ = [
    "FORMATS",
    "FORMAT_OF",
    "MAX_PIXELS",
    "Images",
    "Picture",
    "PixelValues",
    "Pixels",
    "blended",
    "read_picture",
    "resized",
    "scaled",
    "scaled_on",
    "size_with_short_side",
    "to_images",
    "to_pixels",
    "with_bits",
    "with_channels",
    "write_picture",
]
