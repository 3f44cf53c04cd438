"""The one table of picture formats: their suffixes, and what is written of them.

`docs/formats.md` shows it to users; a test holds the two together.
"""

from dataclasses import dataclass

GRAY_MODES_16_BIT = ("I;16", "I;16L", "I;16B", "I;16N")  # Pillow's, as all modes here but LA;16
GRAY_MODES = ("1", "L", "LA", "La", "I", "F", "LA;16", *GRAY_MODES_16_BIT)


@dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """A format that is read, and what our writer of it can hold."""

    suffixes: tuple[str, ...]  # in lower case, the usual one first
    modes: tuple[str, ...] = ()  # of Pillow that are written; another becomes L, RGB or RGBA
    written_as: str | None = None  # another format, where this one is only read
    bits: int = 8  # per channel at most; gray may have 16 by `modes` (I;16, I)
    lossy: bool = False
    profile: bool = False  # holds an ICC profile; without one the colors are sRGB
    animated: bool = False  # all frames are translated, not only the first

    @property
    def alpha(self) -> bool:
        """Tell whether transparency is written."""
        return any(mode in ("LA", "PA", "RGBA") for mode in self.modes)


FORMATS = {  # by Pillow's names; no other decoder is ever tried
    "JPEG": ImageFormat(
        suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"), modes=("L", "CMYK", "RGB"), lossy=True, profile=True
    ),
    "PNG": ImageFormat(
        suffixes=(".png", ".apng"),
        modes=("1", "L", "LA", "P", "I;16", "RGBA", "RGB"),
        bits=16,
        profile=True,
        animated=True,
    ),
    "WEBP": ImageFormat(suffixes=(".webp",), modes=("RGBA", "RGB"), lossy=True, profile=True, animated=True),
    "TIFF": ImageFormat(
        suffixes=(".tif", ".tiff"),
        modes=("1", "L", "LA", "P", "PA", "I;16", "I", "F", "CMYK", "LAB", "RGBA", "RGB"),
        bits=16,
        profile=True,
    ),
    "AVIF": ImageFormat(suffixes=(".avif",), modes=("RGBA", "RGB"), lossy=True, profile=True),
    "HEIF": ImageFormat(suffixes=(".heic", ".heif", ".hif"), modes=("L", "RGBA", "RGB"), lossy=True, profile=True),
    "GIF": ImageFormat(suffixes=(".gif",), modes=("1", "L", "P", "RGBA", "RGB"), animated=True),
    "BMP": ImageFormat(suffixes=(".bmp",), modes=("1", "L", "P", "RGB")),
    "DIB": ImageFormat(suffixes=(".dib",), modes=("1", "L", "P", "RGB")),
    "PPM": ImageFormat(suffixes=(".ppm", ".pgm", ".pbm", ".pnm"), modes=("1", "L", "I", "RGB")),
    "TGA": ImageFormat(suffixes=(".tga",), modes=("1", "L", "LA", "P", "RGBA", "RGB")),
    "JPEG2000": ImageFormat(
        suffixes=(".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), modes=("L", "LA", "I;16", "RGBA", "RGB")
    ),
    "QOI": ImageFormat(suffixes=(".qoi",), modes=("RGBA", "RGB")),
    "PCX": ImageFormat(suffixes=(".pcx",), modes=("1", "L", "P", "RGB")),
    "JXL": ImageFormat(suffixes=(".jxl",), written_as="PNG"),
    "PSD": ImageFormat(suffixes=(".psd",), written_as="TIFF"),
    "RADIANCE": ImageFormat(suffixes=(".hdr",), written_as="PNG"),
}
FORMAT_OF = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
