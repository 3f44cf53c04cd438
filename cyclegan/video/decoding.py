"""The frames of a video, decoded one after the other; nothing of a file that is damaged is passed over."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av import VideoFrame
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.stream import VideoStream

from cyclegan.errors import PictureError, printable
from cyclegan.video.color import Orientation, to_pixels
from cyclegan.video.encoding import FrameTimes, TimedFrame
from cyclegan.video.frames import FrameFunction, State, VideoOptions

Decoded = tuple[VideoFrame, int, VideoFrame]  # a frame, its time in ticks, and the first of the video

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"  # no playlist, which would lead to other files
)
MICROSECONDS = 1_000_000  # in which a container says how long it is
SHORT = 1  # seconds that may be missing at the end of a clip


def count_frames(path: Path) -> int:
    """Return about how many frames a clip has, as far as its container says; 0 if it does not."""
    with opened(path) as clip:
        return frames_in(clip, main_video(clip, path))


def frames_in(clip: InputContainer, video: VideoStream) -> int:
    """Return about how many frames a video has, as far as its container says; 0 if it does not."""
    return video.frames or round((clip.duration or 0) * (video.average_rate or 0) / MICROSECONDS)


def opened(path: Path) -> InputContainer:
    """Open a clip to be read, and no file but this one."""
    if path.is_file() and path.stat().st_size == 0:
        raise PictureError(f"{printable(path)} is empty.")
    only_this = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
    with read_errors(path, "is damaged, or no clip in a format that can be read"):
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
def read_errors(path: Path, trouble: str = "is damaged") -> Iterator[None]:
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


class Frames:
    """The frames of a clip, decoded and redrawn in their order."""

    def __init__(self, clip: InputContainer, path: Path, manner: VideoOptions) -> None:
        self.clip = clip
        self.path = path
        self.manner = manner
        self.video = main_video(clip, path)
        self.times = FrameTimes(self.video)
        self.first: VideoFrame
        self.interrupted = False

    def decoded(self, after: int) -> Iterator[Decoded]:
        """Yield the frames after so many that are known already, and their times."""
        for frame in self._all():
            tick = self.times.next_tick(frame)
            if self.times.frames == 1:
                self.first = frame
            if self.manner.interrupted():
                self.interrupted = True
                return
            if self.times.frames > after:
                yield frame, tick, self.first
            else:
                self.manner.on_frame()

    def redrawn(self, shots: Iterable[TimedFrame], redraw: FrameFunction) -> Iterator[TimedFrame | State]:
        """Yield redrawn frames, and the state now and then, at the end, and where it is interrupted."""
        began = time.monotonic()
        for shot in shots:
            if self.interrupted or self.manner.interrupted():
                self.interrupted = True
                break
            yield replace(shot, pixels=redraw(shot.pixels))
            self.manner.on_frame()
            if time.monotonic() - began >= self.manner.segment_seconds:
                yield self.manner.state.state_dict()
                began = time.monotonic()
        yield self.manner.state.state_dict()

    def _all(self) -> Iterator[VideoFrame]:
        """Yield every frame; a clip that is damaged, or breaks off, is an error."""
        frames, end = 0, Fraction(0)
        self.manner.refuse_larger(self.path, self.video.width, self.video.height)
        with read_errors(self.path):
            for packet in self.clip.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                for frame in self.video.decode(packet) if packet.stream is self.video else ():
                    if frame.is_corrupt:
                        raise PictureError(f"{printable(self.path)} is damaged: not every frame can be decoded.")
                    self.manner.refuse_larger(self.path, frame.width, frame.height)  # which may change on the way
                    frames += 1
                    yield frame
        if frames == 0:
            raise PictureError(f"{printable(self.path)} has no frame that can be decoded.")
        self._refuse_cut(end)

    def _refuse_cut(self, end: Fraction) -> None:
        """Raise an error if a clip ends sooner than it says, seconds."""
        told = Fraction((self.clip.duration or 0) + (self.clip.start_time or 0), MICROSECONDS)
        if self.clip.format.name == "avi" and self.video.average_rate:
            told = self.video.frames / self.video.average_rate  # what it says itself; libav reckons from its size
        if end < told - SHORT:
            held = f"of {float(told):.1f} seconds it holds {float(end):.1f}"
            raise PictureError(f"{printable(self.path)} is damaged: {held}.")


def seen(decoded: Decoded) -> TimedFrame:
    """Return a decoded frame as a person sees it."""
    frame, tick, first = decoded
    return TimedFrame(frame, Orientation.of(frame).upright(to_pixels(frame)), tick, first)
