"""Animated GIF, WebP and PNG: decoded by Pillow frame by frame, redrawn, and written as they come."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image

from cyclegan.atomic import written_whole
from cyclegan.errors import PictureError, printable
from cyclegan.images.cicp import missed_profile
from cyclegan.images.files import is_lossless_webp, picture_errors
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.metadata import Metadata, orientation_of
from cyclegan.images.picture import upright
from cyclegan.video.animation_writers import WEBP_QUALITY, WRITERS, Details, Frame, FrameError
from cyclegan.video.frames import FrameFunction, InterruptedVideo, Pixels, VideoOptions, VideoResult, with_remark


def is_animation(path: Path) -> bool:
    """Tell whether a file is a GIF, WebP or PNG of more than one frame; what cannot be read is none."""
    with suppress(Exception), Image.open(path, formats=list(WRITERS)) as image:
        return bool(getattr(image, "is_animated", False))
    return False


def map_animation(source: Path, target: Path, redraw: FrameFunction, manner: VideoOptions) -> VideoResult:
    """Translate an animation frame by frame, keeping none of them, also where it is interrupted.

    `redraw` gets every frame as it is seen, uint8 h w 3, RGB, and may change its size, always to the same. Durations,
    loops, transparency, colour profile and comment are the source's. The target is written whole or not at all, in the
    source's format unless its suffix is another. A source that is damaged or has too many pixels is a `PictureError`
    that names it, and so is a target whose format does not hold it.
    """
    watched = manner.watched(redraw)
    lasting: list[float] = []

    def redrawn(image: Image.Image) -> Iterator[Frame]:
        for frame in _read(image, source):
            lasting.append(frame.milliseconds)
            pixels = watched(np.array(frame.image.convert("RGB")))
            yield Frame(_as_transparent(pixels, frame.image), frame.milliseconds)

    try:
        with _opened(source) as image:
            manner.refuse_larger(source, image.width, image.height)
            renamed = source.suffix.lower() != target.suffix.lower()
            write = WRITERS[FORMAT_OF[target.suffix.lower()] if renamed else str(image.format)]
            with picture_errors(source):
                metadata = Metadata.of_image(image)
                lossless = image.format == "WEBP" and is_lossless_webp(source.read_bytes())
                details = _details(image, metadata, manner, lossless)
            with written_whole(target) as aside, aside.open("wb") as file:
                write(file, redrawn(image), details)
    except InterruptedVideo:
        note = "It was interrupted, and nothing of it is kept; the same command starts it again."
        return VideoResult(len(lasting), sum(lasting) / 1000, (note,), finished=False)
    except (FrameError, OverflowError, struct.error) as error:  # the latter of numbers that a format has no room for
        reason = f"{printable(target)} cannot be written: {printable(error)}."
        raise PictureError(reason, "Choose another format, or a smaller --size.") from error
    return VideoResult(len(lasting), sum(lasting) / 1000, metadata.notes)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with picture_errors(path):
        image = Image.open(path, formats=list(WRITERS))
    with image:
        with picture_errors(path):
            profile = missed_profile(image, path)
        image.info |= {"icc_profile": profile} if profile else {}
        yield image


def _details(image: Image.Image, metadata: Metadata, manner: VideoOptions, lossless: bool) -> Details:
    """Return what an opened animation holds beside its frames, and the mark."""
    info = image.info
    metadata = metadata.marked(manner.mark, composite=manner.composite)
    texts = metadata.text | metadata.png_texts()
    comment = texts.pop("Comment", "") or texts.pop("comment", "") or metadata.comment.decode("utf-8", "replace")
    return Details(
        transparent=image.has_transparency_data or image.format == "GIF",  # whose later frames may be
        loop=info.get("loop"),
        comment=with_remark(comment, manner.remark),
        xmp=metadata.xmp,
        lossless=lossless,
        quality=manner.quality or WEBP_QUALITY,
        icc_profile=info.get("icc_profile") or b"",
        exif=metadata.exif,
        texts=texts,
    )


def _read(image: Image.Image, path: Path) -> Iterator[Frame]:
    """Yield the frames of an opened animation as they are seen; the picture for viewers that show but one is none."""
    with picture_errors(path):
        orientation = orientation_of(image)
        for number in range(1 if image.info.get("default_image") else 0, getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            seen = image.convert("RGBA" if image.has_transparency_data else "RGB")
            if orientation > 1:
                seen = Image.fromarray(upright(np.array(seen), orientation))
            yield Frame(seen, float(image.info.get("duration", 0)))


def _as_transparent(pixels: Pixels, like: Image.Image) -> Image.Image:
    """Return pixels as an image with the transparency of another."""
    image = Image.fromarray(pixels)
    if like.mode == "RGBA":
        image.putalpha(like.getchannel("A").resize(image.size, Image.Resampling.BICUBIC))
    return image
