"""The one table of picture formats: by which suffixes they are known, and what is written of them.

`docs/formats.md` shows it to users; a test holds the two together.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """A format that is read, and what its writer here can hold."""

    suffixes: tuple[str, ...]  # in small letters, the usual one first
    modes: tuple[str, ...] = ()  # Pillow's, that are written; a picture in another becomes L, RGB or RGBA
    instead: str = ""  # the format that is written where this one is only read
    bits: int = 8  # the most of a level that are written; grey may have 16 by `modes` (I;16, I)
    lossy: bool = False
    profile: bool = False  # an ICC profile is written; without one the colours are sRGB
    animated: bool = False  # all frames are translated, not the first alone

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
    "JXL": ImageFormat(suffixes=(".jxl",), instead="PNG"),
    "PSD": ImageFormat(suffixes=(".psd",), instead="TIFF"),
    "RADIANCE": ImageFormat(suffixes=(".hdr",), instead="PNG"),
}
FORMAT_OF = {suffix: name for name, kind in FORMATS.items() for suffix in kind.suffixes}
