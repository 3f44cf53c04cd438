"""Frames encoded as their source is, at the same times, and at a quality that is hard to tell from the source's."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from os import environ
from typing import TYPE_CHECKING, cast

from av import Packet, VideoFrame
from av.codec.context import Flags
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from cyclegan.video.color import LIMITED_RANGE, UNSPECIFIED_MATRIX, Orientation, display_matrix, matrix_tag, to_frame
from cyclegan.video.decoding import DecodedFrame, frame_rate, time_base
from cyclegan.video.frames import FramePixels
from cyclegan.video.scheduling import kept_scheduling

if TYPE_CHECKING:
    AnyPacket = Packet[Stream]
else:
    AnyPacket = Packet  # has no type parameters at run time


@dataclass(frozen=True)
class Encoder:
    """One of libav's encoders, and its settings."""

    name: str
    options: Mapping[str, str]
    even: bool = False  # takes odd widths and heights only without chroma subsampling
    max_ticks: int = 2**31 - 1  # per second, of the finest time base
    codes_colour: bool = True  # matrix and range stand in the packets, not only in the container


ENCODERS = {  # codec of the source -> encoder
    "h264": Encoder("libx264", {"crf": "16"}, even=True),
    "hevc": Encoder("libx265", {"crf": "18", "x265-params": "log-level=error"}, even=True),
    "vp9": Encoder("libvpx-vp9", {"crf": "20", "b": "0", "cpu-used": "3", "row-mt": "1"}),
    "av1": Encoder("libsvtav1", {"crf": "20", "preset": "7"}),
    "mpeg4": Encoder(  # 236 is quantiser 2, in libav's unit of 1/118
        "mpeg4", {"flags": "+qscale", "global_quality": "236"}, max_ticks=65535, codes_colour=False
    ),
}
CONTAINER_CODECS = {"webm": ("vp9", "av1"), "avi": ("h264", "mpeg4")}  # others take all; the first is the default


def choose_encoder(codec: str, container: str, clock: Fraction) -> Encoder:
    """Return the encoder of the source's codec, or the container's default if codec or time base do not fit."""
    codecs = CONTAINER_CODECS.get(container, tuple(ENCODERS))
    default = ENCODERS[codecs[0]]
    encoder = ENCODERS[codec] if codec in codecs else default
    return encoder if clock.denominator <= encoder.max_ticks else default


def choose_pixel_format(encoder: Encoder, source: str, formats: Collection[str], size: tuple[int, int]) -> str:
    """Return the encoder's pixel format that is nearest to the source's, for frames of a width and height."""
    name = source.replace("yuvj", "yuv")  # old names of full range, which has a tag of its own
    chosen = name if name in formats else "yuv420p"
    if encoder.even and any(length % 2 for length in size):
        return chosen.replace("420", "444").replace("422", "444")
    return chosen


class VideoTrack:
    """The video stream of a file being written: of a segment, or of the output, which takes the segments' packets.

    There are no B-frames: packets leave the encoder in the order of display, so that every container can store exact
    times. `container` is the output's, also in a segment.
    """

    def __init__(self, file: OutputContainer, source: VideoStream, container: str) -> None:
        self.source = source
        self.container = container
        clock = time_base(source)
        self.encoder = choose_encoder(source.codec.canonical_name, container, clock)
        if self.encoder.name == "libsvtav1":
            environ.setdefault("SVT_LOG", "1")  # errors only; by default it prints all its settings
        options = dict(self.encoder.options)
        self.stream = cast(VideoStream, file.add_stream(self.encoder.name, frame_rate(source), options))
        self.stream.codec_context.time_base = 1 / frame_rate(source) if container == "avi" else clock

    def configure(self, like: VideoFrame, width: int, height: int) -> None:
        """Set the coding of the source's first frame, with the size of the output."""
        context = self.stream.codec_context
        formats = [video_format.name for video_format in context.codec.video_formats or ()]
        context.width, context.height = width, height
        context.pix_fmt = choose_pixel_format(self.encoder, like.format.name, formats, (width, height))
        context.max_b_frames = 0
        context.colorspace, context.color_range = self._tags(like)
        context.color_primaries, context.color_trc = like.color_primaries, like.color_trc
        if self.source.sample_aspect_ratio:
            context.sample_aspect_ratio = self.source.sample_aspect_ratio
        if self.encoder.name == "libx265" and self.stream.container.format.name in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the one that Apple's players know
        if self.container == "avi":
            context.flags &= ~int(Flags.global_header)  # players expect the headers in the packets there
        elif display_matrix(like):
            self.stream.set_display_matrix(display_matrix(like))

    def encode(self, frame: DecodedFrame) -> list[AnyPacket]:
        """Encode the next frame, and return the packets that are complete."""
        context = self.stream.codec_context
        size = context.width, context.height
        coded = to_frame(self.stored(frame), frame.coded, str(context.pix_fmt), size, self._tags(frame.coded))
        with nullcontext() if context.is_open else kept_scheduling():  # encoding the first frame opens the encoder
            return self.stream.encode(coded)

    def stored(self, frame: DecodedFrame) -> FramePixels:
        """Return a frame's pixels as they are stored: upright in AVI, which has no display matrix."""
        orientation = Orientation() if self.container == "avi" else Orientation.of(frame.coded)
        return orientation.to_stored(frame.pixels)

    def _tags(self, like: VideoFrame) -> tuple[int, int]:
        """Return the tags of matrix and range: a frame's, or the players' defaults if the output cannot store tags."""
        matrix, color_range = matrix_tag(like, self.stream.codec_context.height), like.color_range
        if self.encoder.codes_colour or self.container not in ("avi", "mov"):
            return matrix, color_range
        return UNSPECIFIED_MATRIX if self.container == "avi" else matrix, LIMITED_RANGE
