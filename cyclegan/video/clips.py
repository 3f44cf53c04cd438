"""Clips in video containers: their frames redrawn, all else in them passed through untouched."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av import VideoFrame
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from cyclegan.atomic import written_whole
from cyclegan.errors import PictureError, printable
from cyclegan.prefetch import map_ahead
from cyclegan.video.color import Orientation, to_pixels
from cyclegan.video.encoding import AnyPacket, Shot
from cyclegan.video.frames import CLIP_SUFFIXES, ClipFacts, ClipManner, InterruptedClip, Redraw
from cyclegan.video.muxing import Film

AHEAD = 3  # frames or packets on their way to be redrawn, and as many on their way into the file
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"  # no playlist, which would lead to other files
)
MICROSECONDS = 1_000_000  # in which a container says how long it is
SHORT = 1  # seconds that may be missing at the end of a clip


def redraw_clip(source: Path, target: Path, redraw: Redraw, manner: ClipManner) -> ClipFacts | None:
    """Redraw a clip frame by frame, in memory that does not grow with its length; nothing if it was interrupted.

    `redraw` gets every frame upright, uint8 h w 3, RGB of full range, and may change its size, always to the same.
    Times, sound, subtitles, chapters, tags, rotation and the coding of colour are the source's. The target is written
    whole or not at all, in the container that its suffix names. A source that is damaged, holds no video or has frames
    of too many pixels is a `PictureError` that names it.
    """
    watched = manner.watched(redraw)

    def redrawn(item: Shot | AnyPacket) -> Shot | AnyPacket:
        return Shot(item.frame, watched(item.pixels)) if isinstance(item, Shot) else item

    try:
        with opened(source) as clip:
            video = main_video(clip, source)
            decoded = map_ahead(_seen, _items(clip, video, source, manner), workers=1, ahead=AHEAD)
            with written_whole(target) as aside, _created(aside, target, clip) as output:
                film = Film(output, clip, video, manner.remark)
                for _ in map_ahead(film.add, map(redrawn, decoded), workers=1, ahead=AHEAD):
                    pass
                return film.finish()
    except InterruptedClip:
        return None


def count_frames(path: Path) -> int:
    """Return about how many frames a clip has, as far as its container says; 0 if it does not."""
    with opened(path) as clip:
        video = main_video(clip, path)
        return video.frames or round((clip.duration or 0) * (video.average_rate or 0) / MICROSECONDS)


def opened(path: Path) -> InputContainer:
    """Open a clip to be read, and no file but this one."""
    if path.is_file() and path.stat().st_size == 0:
        raise PictureError(f"{printable(path)} is empty.")
    only_this = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
    with _read_errors(path, "is damaged, or no clip in a format that can be read"):
        return av.open(f"file:{path}", options=only_this, metadata_errors="surrogateescape")


def main_video(clip: InputContainer, path: Path) -> VideoStream:
    """Return the stream that a player shows; cover pictures are none."""
    for stream in clip.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise PictureError(f"the video of {printable(path)} is coded in a way that cannot be read.")
        stream.thread_type = "AUTO"
        return stream
    raise PictureError(f"{printable(path)} has no video in it, or is damaged.")


@contextmanager
def _read_errors(path: Path, trouble: str = "is damaged") -> Iterator[None]:
    """Turn what libav says of a file that it reads into a sentence that names it."""
    name = printable(path)
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PictureError(f"{name} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into memory.") from error
    except FFmpegError as error:
        raise PictureError(f"{name} {trouble}: {error.strerror}.") from error


@contextmanager
def _created(aside: Path, target: Path, clip: InputContainer) -> Iterator[OutputContainer]:
    """Open `aside` to be written in the container of `target`; what an encoder or a container refuses is a sentence."""
    container = CLIP_SUFFIXES[target.suffix.lower()]
    apple = container in ("mp4", "mov") and any(name.startswith("com.") for name in clip.metadata)
    options = {"movflags": "use_metadata_tags"} if apple else {}  # which keeps tags of any name
    try:
        with av.open(f"file:{aside}", "w", container, options, metadata_errors="surrogateescape") as output:
            yield output
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise  # it is the disk's
        reason = f"{printable(target)} cannot be written as {container}: {error.strerror}."
        raise PictureError(reason, "Choose another format.") from error


def _items(
    clip: InputContainer, video: VideoStream, path: Path, manner: ClipManner
) -> Iterator[VideoFrame | AnyPacket]:
    """Yield what a clip holds, in its order: the frames of `video` decoded, the packets of all else as they are."""
    frames, end = 0, Fraction(0)
    manner.refuse_larger(path, video.width, video.height)
    with _read_errors(path):
        for packet in clip.demux():
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream is not video and packet.dts is not None:  # one without a time only flushes a decoder
                yield packet
            for frame in video.decode(packet) if packet.stream is video else ():
                if frame.is_corrupt:
                    raise PictureError(f"{printable(path)} is damaged: not every frame can be decoded.")
                manner.refuse_larger(path, frame.width, frame.height)  # which may change on the way
                frames += 1
                yield frame
    if frames == 0:
        raise PictureError(f"{printable(path)} has no frame that can be decoded.")
    told = Fraction((clip.duration or 0) + (clip.start_time or 0), MICROSECONDS)
    if clip.format.name == "avi" and video.average_rate:
        told = video.frames / video.average_rate  # what it says itself; libav reckons from its size
    if end < told - SHORT:
        raise PictureError(f"{printable(path)} is damaged: of {float(told):.1f} seconds it holds {float(end):.1f}.")


def _seen(item: VideoFrame | AnyPacket) -> Shot | AnyPacket:
    """Return a decoded frame as a person sees it, and a packet as it is."""
    return Shot(item, Orientation.of(item).upright(to_pixels(item))) if isinstance(item, VideoFrame) else item
