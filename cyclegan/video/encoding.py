"""Redrawn frames encoded as their source was, at a quality that is hard to tell from it, at the very same times."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from os import environ
from typing import TYPE_CHECKING, cast

from av import Packet, VideoFrame
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from cyclegan.video.color import Orientation, display_matrix, matrix_tag, to_frame
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


ENCODERS = {  # codec of the source -> encoder
    "h264": Encoder("libx264", {"crf": "16"}, even=True),
    "hevc": Encoder("libx265", {"crf": "18", "x265-params": "log-level=error"}, even=True),
    "vp9": Encoder("libvpx-vp9", {"crf": "20", "b": "0", "cpu-used": "3", "row-mt": "1"}),
    "av1": Encoder("libsvtav1", {"crf": "20", "preset": "7"}),
    "mpeg4": Encoder("mpeg4", {"flags": "+qscale", "global_quality": "236"}, ticks=65535),  # twice 118: quantiser 2
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
class Shot:
    """A frame as it was decoded, and the pixels to be seen, upright."""

    frame: VideoFrame
    pixels: Pixels


class VideoTrack:
    """The stream of redrawn frames.

    They leave the encoder in the order in which they are seen (there are no B-frames), so that every container can say
    exactly when each begins and ends.
    """

    def __init__(self, output: OutputContainer, source: VideoStream) -> None:
        self.source = source
        self.container = output.format.name
        self.rate = source.average_rate or USUAL_RATE
        self.clock = source.time_base or 1 / self.rate
        self.encoder = choose_encoder(source.codec.canonical_name, self.container, self.clock)
        if self.encoder.name == "libsvtav1":
            environ.setdefault("SVT_LOG", "1")  # errors; it would print all its settings
        self.stream = cast(VideoStream, output.add_stream(self.encoder.name, self.rate, dict(self.encoder.options)))
        self.stream.codec_context.time_base = 1 / self.rate if self.container == "avi" else self.clock
        self.held: list[AnyPacket] = []  # the newest, whose duration the next will say
        self.frames = 0
        self.lag = self.next = 0  # ticks: how much too late the source's times are, and the soonest for the next frame
        self.begin = self.end = Fraction(0)  # seconds

    def add(self, shot: Shot) -> list[AnyPacket]:
        """Encode the next frame, and return the packets that are done."""
        stored = self._orientation(shot.frame).stored(shot.pixels)
        if self.frames == 0:
            self._settle(shot.frame, stored.shape[1], stored.shape[0])
        context = self.stream.codec_context
        frame = to_frame(stored, shot.frame, str(context.pix_fmt), (context.width, context.height))
        frame.pts, frame.time_base = self._time(shot.frame), self.clock
        self._note(frame.pts * self.clock, frame.duration * self.clock)
        return self._ended(self.stream.encode(frame))

    def finish(self) -> list[AnyPacket]:
        """Return the packets that the encoder still holds."""
        packets = self._ended(self.stream.encode(None))
        for last in self.held:
            last.duration = round(self.end / last.time_base) - (last.pts or 0)
        return packets + self.held

    def _settle(self, like: VideoFrame, width: int, height: int) -> None:
        """Say how the video is coded: as its first frame was decoded, with the size that it is given."""
        context = self.stream.codec_context
        taken = [known.name for known in context.codec.video_formats or ()]
        context.width, context.height = width, height
        context.pix_fmt = choose_pixel_format(self.encoder, like.format.name, taken, (width, height))
        context.max_b_frames = 0
        context.colorspace, context.color_range = matrix_tag(like, height), like.color_range
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
        if self.source.sample_aspect_ratio:
            context.sample_aspect_ratio = self.source.sample_aspect_ratio
        if self.encoder.name == "libx265" and self.container in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the one that Apple's players know
        if display_matrix(like) and self.container != "avi":
            self.stream.set_display_matrix(display_matrix(like))

    def _orientation(self, frame: VideoFrame) -> Orientation:
        """Return how frames are turned that are written; AVI cannot say it, so there they are upright."""
        return Orientation() if self.container == "avi" else Orientation.of(frame)

    def _time(self, frame: VideoFrame) -> int:
        """Return when a frame is shown, in ticks of the clock: as the source says, but after the one before it."""
        counted = self.source.container.format.name == "avi"  # which numbers frames in the order of decoding
        told = frame.dts if counted or frame.pts is None else frame.pts
        if self.frames == 0:
            self.next = told or 0
            self.lag = self.next if counted else 0
        tick = self.next if told is None else max(told, self.next)
        self.next = tick + 1
        return tick - self.lag

    def _note(self, begin: Fraction, lasting: Fraction) -> None:
        """Keep when the video begins and ends, seconds; what its container says holds for its last frame."""
        self.begin = begin if self.frames == 0 else self.begin
        told = ((self.source.start_time or 0) + (self.source.duration or 0)) * self.clock
        self.end = told if told > begin else begin + (lasting or 1 / self.rate)
        self.frames += 1

    def _ended(self, packets: list[AnyPacket]) -> list[AnyPacket]:
        """Return packets that last until the next; the newest waits for it, as what decoders say of VFR is wrong."""
        known = [*self.held, *packets]
        for packet, following in pairwise(known):
            packet.duration = (following.pts or 0) - (packet.pts or 0)
        self.held = known[-1:]
        return known[:-1]
