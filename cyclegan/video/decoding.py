"""The frames of a video, decoded one after the other; damage is an error, not a patched frame."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
from av import VideoFrame
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.stream import VideoStream

from cyclegan.errors import PictureError
from cyclegan.text import printable
from cyclegan.video.color import Orientation, frame_to_pixels
from cyclegan.video.frames import FramePixels, VideoOptions

# No demuxer of playlists, which would open other files.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg"
MICROSECONDS = 1_000_000  # the unit of a container's duration
TRUNCATION_SECONDS = 1  # that may be missing at the end of a video
DEFAULT_RATE = Fraction(25)  # frames per second, if a video names none


class DecodedFrame(NamedTuple):
    """A frame as it is coded, and its pixels, upright."""

    coded: VideoFrame
    pixels: FramePixels

    @classmethod
    def of(cls, frame: VideoFrame) -> "DecodedFrame":
        """Convert a frame as the decoder returns it."""
        return cls(frame, Orientation.of(frame).to_upright(frame_to_pixels(frame)))


def count_frames(path: Path) -> int:
    """Return about how many frames a video has, by its header; 0 if that does not say."""
    with open_video(path) as container:
        return frames_in(container, main_stream(container, path))


def frames_in(container: InputContainer, stream: VideoStream) -> int:
    """Return about how many frames a stream has, by its header; 0 if that does not say."""
    return stream.frames or round((container.duration or 0) * (stream.average_rate or 0) / MICROSECONDS)


def frame_rate(stream: VideoStream) -> Fraction:
    """Return the frames per second of a stream."""
    return stream.average_rate or DEFAULT_RATE


def time_base(stream: VideoStream) -> Fraction:
    """Return the seconds per tick of a stream's times."""
    return stream.time_base or 1 / frame_rate(stream)


def open_video(path: Path) -> InputContainer:
    """Open a video for reading, and no file but this one."""
    if path.is_file() and path.stat().st_size == 0:
        raise PictureError(f"{printable(path)} is empty.")
    only_this_file = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
    with read_errors(path):
        try:
            return av.open(f"file:{path}", options=only_this_file, metadata_errors="surrogateescape")
        except ArgumentError as error:  # libav knows the format, but it is not on the list
            raise PictureError(
                f"{printable(path)} is a file of another kind, which cannot be read as video."
            ) from error
        except InvalidDataError as error:
            raise PictureError(f"{printable(path)} is damaged, or not a video.") from error


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the video stream that a player shows, which is no cover picture."""
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise PictureError(f"the video of {printable(path)} is coded in a way that cannot be read.")
        stream.thread_type = "AUTO"
        return stream
    raise PictureError(f"{printable(path)} has no video in it, or is damaged.")


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn libav's errors about a source into errors that name it."""
    name = printable(path)
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PictureError(f"{name} cannot be read: {error.strerror}.") from error
    except MemoryError as error:
        raise PictureError(f"{name} does not fit into memory.") from error
    except FFmpegError as error:
        raise PictureError(f"{name} is damaged: {error.strerror}.") from error


class VideoReader:
    """Decodes the main stream of a video, frame by frame, until the end or an interruption."""

    def __init__(self, container: InputContainer, path: Path, options: VideoOptions) -> None:
        self.container = container
        self.path = path
        self.options = options
        self.stream = main_stream(container, path)
        self.times = FrameTimes(self.stream)
        self.first_frame: VideoFrame
        self.interrupted = False

    def read(self, skip: int) -> Iterator[VideoFrame]:
        """Yield the frames after the first `skip`, timed as the output shows them."""
        for frame in self._decode():
            frame.pts, frame.time_base = self.times.next_tick(frame), self.times.time_base
            if self.times.frames == 1:
                self.first_frame = frame
            if self.options.interrupted():
                self.interrupted = True
                return
            if self.times.frames > skip:
                yield frame
            else:
                self.options.on_frame()

    def _decode(self) -> Iterator[VideoFrame]:
        frames, end = 0, Fraction(0)
        self.options.check_size(self.path, self.stream.width, self.stream.height)
        with read_errors(self.path):
            # All streams are read: the last packet of any of them tells where the file ends.
            for packet in self.container.demux():
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
                for frame in self.stream.decode(packet) if packet.stream is self.stream else ():
                    if frame.is_corrupt:
                        raise PictureError(f"{printable(self.path)} is damaged: not every frame can be decoded.")
                    self.options.check_size(self.path, frame.width, frame.height)  # the size may change midway
                    frames += 1
                    yield frame
        if frames == 0:
            raise PictureError(f"{printable(self.path)} has no frame that can be decoded.")
        self._check_complete(end)

    def _check_complete(self, end: Fraction) -> None:
        """Raise an error if a video ends sooner, in seconds, than its header says."""
        expected = Fraction((self.container.duration or 0) + (self.container.start_time or 0), MICROSECONDS)
        if self.container.format.name == "avi" and self.stream.average_rate:
            expected = self.stream.frames / self.stream.average_rate  # libav computes the duration from the file size
        if end < expected - TRUNCATION_SECONDS:
            seconds = f"of {float(expected):.1f} seconds it holds {float(end):.1f}"
            raise PictureError(f"{printable(self.path)} is damaged: {seconds}.")


class FrameTimes:
    """When frames are shown, counted as they are decoded."""

    def __init__(self, stream: VideoStream) -> None:
        self.stream = stream
        self.time_base = time_base(stream)
        self.frames = 0
        self.offset = 0  # ticks by which the source's times are late
        self.earliest = 0  # tick that the next frame can have
        self.begin = self.end = Fraction(0)  # seconds

    def next_tick(self, frame: VideoFrame) -> int:
        """Return when the next frame is shown, in ticks: the source's time, but later than the frame before."""
        has_no_pts = self.stream.container.format.name == "avi"  # its times count frames in the order of decoding
        time = frame.dts if has_no_pts or frame.pts is None else frame.pts
        if self.frames == 0:
            self.earliest = time or 0
            self.offset = self.earliest if has_no_pts else 0
        tick = self.earliest if time is None else max(time, self.earliest)
        self.earliest = tick + 1
        self._update((tick - self.offset) * self.time_base, (frame.duration or 0) * self.time_base)
        return tick - self.offset

    def _update(self, begin: Fraction, duration: Fraction) -> None:
        """Update beginning and end of the video by a frame; the header's duration holds for the last frame."""
        self.begin = begin if self.frames == 0 else self.begin
        header_end = ((self.stream.start_time or 0) + (self.stream.duration or 0)) * self.time_base
        self.end = header_end if header_end > begin else begin + (duration or 1 / frame_rate(self.stream))
        self.frames += 1
