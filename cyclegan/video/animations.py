"""Animated GIF, WebP and PNG, mapped frame by frame."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image

from cyclegan.atomic import atomic_write
from cyclegan.errors import PictureError
from cyclegan.images.cicp import profile_from_code_points
from cyclegan.images.decoding_errors import picture_errors
from cyclegan.images.encoding import is_lossless_webp
from cyclegan.images.formats import FORMAT_OF
from cyclegan.images.metadata import Metadata, read_orientation
from cyclegan.images.picture import exif_transpose
from cyclegan.text import printable
from cyclegan.video.animation_writers import DEFAULT_WEBP_QUALITY, WRITERS, AnimationFrame, AnimationInfo, EncodeError
from cyclegan.video.frames import FrameFunction, FramePixels, VideoOptions, VideoResult, prepared_frames, with_remark


class _Interrupted(Exception):  # noqa: N818 (not an error; it ends the writing of a file)
    pass


def is_animation(path: Path) -> bool:
    """Tell whether a file is a GIF, WebP or PNG of more than one frame; an unreadable file is not."""
    with suppress(Exception), Image.open(path, formats=list(WRITERS)) as image:
        return bool(getattr(image, "is_animated", False))
    return False


def map_animation(source: Path, target: Path, function: FrameFunction, options: VideoOptions) -> VideoResult:
    """Write an animation whose frames are the function's outputs, in memory that does not grow with its length.

    `function` gets every frame upright, uint8 h w 3, RGB, or what `options.ahead` makes of it; its outputs all have one
    size, any size. Durations, loops, transparency, colour profile and comment are the source's. The target is written
    whole or not at all, in the source's format unless its suffix is another. A source that is damaged or has too many
    pixels is a `PictureError`, and so is a target whose format cannot hold the animation. After an interruption nothing
    is kept.
    """
    durations: list[float] = []  # milliseconds

    def outputs(image: Image.Image) -> Iterator[AnimationFrame]:
        frames = _read_frames(image, source)
        for frame, prepared in prepared_frames(frames, lambda frame: np.array(frame.image.convert("RGB")), options):
            if options.interrupted():
                raise _Interrupted
            durations.append(frame.milliseconds)
            yield AnimationFrame(_with_alpha(function(prepared), frame.image), frame.milliseconds)
            options.on_frame()

    try:
        with _open_animation(source) as image:
            options.check_size(source, image.width, image.height)
            converts = source.suffix.lower() != target.suffix.lower()
            write = WRITERS[FORMAT_OF[target.suffix.lower()] if converts else str(image.format)]
            with picture_errors(source):
                metadata = Metadata.from_image(image)
                lossless = image.format == "WEBP" and is_lossless_webp(source.read_bytes())
                info = _animation_info(image, metadata, options, lossless)
            with atomic_write(target) as aside, aside.open("wb") as file:
                write(file, outputs(image), info)
    except _Interrupted:
        note = "It was interrupted, and nothing of it is kept; the same command starts it again."
        return VideoResult(len(durations), sum(durations) / 1000, (note,), finished=False)
    except (EncodeError, OverflowError, struct.error) as error:  # the last two for numbers that a format cannot hold
        reason = f"{printable(target)} cannot be written: {printable(error)}."
        raise PictureError(reason, "Choose another format, or a smaller --size.") from error
    return VideoResult(len(durations), sum(durations) / 1000, metadata.notes)


@contextmanager
def _open_animation(path: Path) -> Iterator[Image.Image]:
    with picture_errors(path):
        image = Image.open(path, formats=list(WRITERS))
    with image:
        with picture_errors(path):
            profile = profile_from_code_points(image, path)
        image.info |= {"icc_profile": profile} if profile else {}
        yield image


def _animation_info(image: Image.Image, metadata: Metadata, options: VideoOptions, lossless: bool) -> AnimationInfo:
    """Return everything that the output holds beside its frames, with the mark."""
    info = image.info
    metadata = metadata.mark_generated(options.mark, composite=options.composite)
    texts = metadata.text | metadata.png_texts()
    comment = texts.pop("Comment", "") or texts.pop("comment", "") or metadata.comment.decode("utf-8", "replace")
    return AnimationInfo(
        has_alpha=image.has_transparency_data or image.format == "GIF",  # later frames of a GIF may have it
        loop=info.get("loop"),
        comment=with_remark(comment, options.remark),
        xmp=metadata.xmp,
        lossless=lossless,
        quality=options.quality or DEFAULT_WEBP_QUALITY,
        icc_profile=info.get("icc_profile") or b"",
        exif=metadata.exif,
        texts=texts,
    )


def _read_frames(image: Image.Image, path: Path) -> Iterator[AnimationFrame]:
    """Yield the frames of an animation, upright, without a PNG's default image for viewers of stills."""
    with picture_errors(path):
        orientation = read_orientation(image)
        for number in range(1 if image.info.get("default_image") else 0, getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            frame = image.convert("RGBA" if image.has_transparency_data else "RGB")
            if orientation > 1:
                frame = Image.fromarray(exif_transpose(np.array(frame), orientation))
            yield AnimationFrame(frame, float(image.info.get("duration", 0)))


def _with_alpha(pixels: FramePixels, source: Image.Image) -> Image.Image:
    """Return pixels as an image with the alpha channel of the source."""
    image = Image.fromarray(pixels)
    if source.mode == "RGBA":
        image.putalpha(source.getchannel("A").resize(image.size, Image.Resampling.BICUBIC))
    return image
