"""Errors of decoders as messages for users: a damaged file, or a kind of file that cannot be read here."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cyclegan.errors import PictureError, UnreadableError
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.plugins import readable_formats
from cyclegan.text import printable

TOO_LARGE_HINT = "Shrink it, or let `translate` take it with --max-pixels."
CONVERT_HINT = "If it is a picture, save it as PNG, TIFF or JPEG first."
UNSUPPORTED = re.compile(
    "unsupported|not (supported|available|implemented)|(cannot|can't) handle|unknown (?!error)", re.IGNORECASE
)


@contextmanager
def picture_errors(path: Path) -> Iterator[None]:
    """Turn any error of a decoder into a `PictureError` that names the file."""
    try:
        yield
    except UnreadableError as error:
        raise PictureError(f"cannot be read: {error}", error.hint, path) from error
    except PictureError:
        raise
    except UnidentifiedImageError as error:
        raise unidentified_error(path) from error
    except Image.DecompressionBombError as error:
        raise PictureError("has too many pixels.", TOO_LARGE_HINT, path) from error
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PictureError(f"cannot be read: {error.strerror}.", "", path) from error
    except MemoryError as error:
        raise PictureError("does not fit into memory.", "", path) from error
    except Exception as error:  # decoders raise errors of any type
        raise decoder_error(path, error) from error


def decoder_error(path: Path, error: Exception) -> PictureError:
    """Return the error for users: an unsupported coding, or damage."""
    reason = printable(error) or type(error).__name__
    # Pillow looks up bits and compressions in dictionaries
    if isinstance(error, KeyError) or isinstance(error.__cause__, KeyError):
        return PictureError(f"cannot be read here: its coding ({reason}) is not known.", CONVERT_HINT, path)
    if isinstance(error, NotImplementedError) or UNSUPPORTED.search(reason):
        return PictureError(f"cannot be read here: {reason.rstrip('.')}.", CONVERT_HINT, path)
    return PictureError(f"is damaged: {reason.rstrip('.')}.", "", path)


def unidentified_error(path: Path) -> PictureError:
    """Return the error for a file that no decoder accepts; the decoder of its signature knows the reason."""
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        return PictureError("is empty.", "", path)
    for image_format in readable_formats(suffix):
        factory, accept = Image.OPEN[image_format]
        if accept and accept(start.ljust(16, b"\0")) is True:  # some decoders look at bytes beyond the end
            try:
                factory(io.BytesIO(path.read_bytes()), "")
            except Exception as error:  # `Image.open` has swallowed it
                return decoder_error(path, error)
    if suffix and suffix not in FORMAT_OF:
        return PictureError(
            f"cannot be read here: {printable(suffix)} is none of the known formats.", CONVERT_HINT, path
        )
    return PictureError("is not a picture in a format that can be read.", CONVERT_HINT, path)
