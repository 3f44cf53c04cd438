"""Pictures: the pixel convention, and reading and writing them faithfully."""

from cyclegan.images.convention import (
    Images,
    Levels,
    Pixels,
    resized,
    scaled,
    scaled_on,
    size_with_short_side,
    to_images,
    to_pixels,
    with_bits,
    with_channels,
)
from cyclegan.images.files import MAX_PIXELS, read_picture, write_picture
from cyclegan.images.formats import FORMAT_OF, FORMATS
from cyclegan.images.picture import Picture

__all__ = [
    "FORMATS",
    "FORMAT_OF",
    "MAX_PIXELS",
    "Images",
    "Levels",
    "Picture",
    "Pixels",
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
