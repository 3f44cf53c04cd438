"""Redrawn frames encoded as their source was, at a quality that is hard to tell from it, at the very same times."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from os import environ
from typing import TYPE_CHECKING, cast

from av import Packet, VideoFrame
from av.codec.context import Flags
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from cyclegan.video.color import LIMITED, UNTAGGED, Orientation, display_matrix, matrix_tag, to_frame
from cyclegan.video.frames import Pixels

if TYPE_CHECKING:
    AnyPacket = Packet[Stream]
else:
    AnyPacket = Packet  # which has no parameters once it runs


@dataclass(frozen=True)
class Encoder:
    """One of libav's encoders, and its settings."""

    name: str
    options: Mapping[str, str]
    even: bool = False  # takes an odd width or height only where colour is as fine as brightness
    ticks: int = 2**31 - 1  # in a second, of the finest clock that it can count with
    tells_colour: bool = True  # matrix and range stand in its packets, not in the container alone


ENCODERS = {  # codec of the source -> encoder
    "h264": Encoder("libx264", {"crf": "16"}, even=True),
    "hevc": Encoder("libx265", {"crf": "18", "x265-params": "log-level=error"}, even=True),
    "vp9": Encoder("libvpx-vp9", {"crf": "20", "b": "0", "cpu-used": "3", "row-mt": "1"}),
    "av1": Encoder("libsvtav1", {"crf": "20", "preset": "7"}),
    "mpeg4": Encoder(
        "mpeg4", {"flags": "+qscale", "global_quality": "236"}, ticks=65535, tells_colour=False
    ),  # twice 118: quantiser 2
}
TAKEN = {"webm": ("vp9", "av1"), "avi": ("h264", "mpeg4")}  # where not all are; the first stands in for the others
USUAL_RATE = Fraction(25)  # frames per second, where the source does not say


def choose_encoder(codec: str, container: str, clock: Fraction) -> Encoder:
    """Return the encoder of a codec, or the container's usual one where it takes no such codec, or it no such clock."""
    taken = TAKEN.get(container, tuple(ENCODERS))
    usual = ENCODERS[taken[0]]
    encoder = ENCODERS[codec] if codec in taken else usual
    return encoder if clock.denominator <= encoder.ticks else usual


def choose_pixel_format(encoder: Encoder, wanted: str, taken: Collection[str], size: tuple[int, int]) -> str:
    """Return the pixel format nearest to the source's that an encoder takes for frames of a width and height."""
    named = wanted.replace("yuvj", "yuv")  # the old names of full range, which has a tag of its own
    chosen = named if named in taken else "yuv420p"
    if encoder.even and any(side % 2 for side in size):
        return chosen.replace("420", "444").replace("422", "444")
    return chosen


@dataclass(frozen=True)
class TimedFrame:
    """A frame as it was decoded, and the pixels to be seen, upright."""

    frame: VideoFrame
    pixels: Pixels
    tick: int  # when it is shown, in ticks of the video's clock
    first: VideoFrame  # of the video, as whose all frames are coded


def rate_of(video: VideoStream) -> Fraction:
    """Return the frames per second of a video, the usual ones where it does not say."""
    return video.average_rate or USUAL_RATE


def clock_of(video: VideoStream) -> Fraction:
    """Return the seconds in a tick of a video's times."""
    return video.time_base or 1 / rate_of(video)


class FrameTimes:
    """When the frames of a video are shown; counts them as they are decoded."""

    def __init__(self, source: VideoStream) -> None:
        self.source = source
        self.clock = clock_of(source)
        self.frames = 0
        self.lag = self.next = 0  # ticks: how much too late the source's times are, and the soonest for the next frame
        self.begin = self.end = Fraction(0)  # seconds

    def next_tick(self, frame: VideoFrame) -> int:
        """Return when the next frame is shown, in ticks: as the source says, but after the one before it."""
        counted = self.source.container.format.name == "avi"  # which numbers frames in the order of decoding
        told = frame.dts if counted or frame.pts is None else frame.pts
        if self.frames == 0:
            self.next = told or 0
            self.lag = self.next if counted else 0
        tick = self.next if told is None else max(told, self.next)
        self.next = tick + 1
        self._note((tick - self.lag) * self.clock, (frame.duration or 0) * self.clock)
        return tick - self.lag

    def _note(self, begin: Fraction, lasting: Fraction) -> None:
        """Keep when the video begins and ends, seconds; what its container says holds for its last frame."""
        self.begin = begin if self.frames == 0 else self.begin
        told = ((self.source.start_time or 0) + (self.source.duration or 0)) * self.clock
        self.end = told if told > begin else begin + (lasting or 1 / rate_of(self.source))
        self.frames += 1


class VideoTrack:
    """The stream of redrawn frames in a file: a segment, or the output, which takes the packets of segments.

    They leave the encoder in the order in which they are seen (there are no B-frames), so that every container can say
    exactly when each begins and ends. The container is the output's, also in a segment.
    """

    def __init__(self, file: OutputContainer, source: VideoStream, container: str) -> None:
        self.source = source
        self.container = container
        self.clock = clock_of(source)
        self.encoder = choose_encoder(source.codec.canonical_name, container, self.clock)
        if self.encoder.name == "libsvtav1":
            environ.setdefault("SVT_LOG", "1")  # errors; it would print all its settings
        options = dict(self.encoder.options)
        self.stream = cast(VideoStream, file.add_stream(self.encoder.name, rate_of(source), options))
        self.stream.codec_context.time_base = 1 / rate_of(source) if container == "avi" else self.clock

    def settle(self, like: VideoFrame, width: int, height: int) -> None:
        """Say how the video is coded: as its first frame was decoded, with the size that it is given."""
        context = self.stream.codec_context
        taken = [known.name for known in context.codec.video_formats or ()]
        context.width, context.height = width, height
        context.pix_fmt = choose_pixel_format(self.encoder, like.format.name, taken, (width, height))
        context.max_b_frames = 0
        context.colorspace, context.color_range = self._tags(like)
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
        if self.source.sample_aspect_ratio:
            context.sample_aspect_ratio = self.source.sample_aspect_ratio
        if self.encoder.name == "libx265" and self.stream.container.format.name in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the one that Apple's players know
        if self.container == "avi":
            context.flags &= ~int(Flags.global_header)  # players want the headers in the packets there
        elif display_matrix(like):
            self.stream.set_display_matrix(display_matrix(like))

    def encode(self, shot: TimedFrame) -> list[AnyPacket]:
        """Encode the next frame, and return the packets that are done."""
        context = self.stream.codec_context
        stored = self.stored(shot)
        size = context.width, context.height
        frame = to_frame(stored, shot.frame, str(context.pix_fmt), size, self._tags(shot.frame))
        frame.pts, frame.time_base = shot.tick, self.clock
        return self.stream.encode(frame)

    def stored(self, shot: TimedFrame) -> Pixels:
        """Return a frame's pixels as they are stored; AVI cannot say how to turn them, so there they are upright."""
        turned = Orientation() if self.container == "avi" else Orientation.of(shot.frame)
        return turned.stored(shot.pixels)

    def _tags(self, like: VideoFrame) -> tuple[int, int]:
        """Return the tags of matrix and range: a frame's, or what players assume where the output cannot say them."""
        matrix, color_range = matrix_tag(like, self.stream.codec_context.height), like.color_range
        if self.encoder.tells_colour or self.container not in ("avi", "mov"):
            return matrix, color_range
        return UNTAGGED if self.container == "avi" else matrix, LIMITED
