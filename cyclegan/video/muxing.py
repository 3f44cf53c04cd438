"""The clip being written: its video redrawn, all else as the source has it."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from av.container import InputContainer, OutputContainer
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from cyclegan.errors import PictureError, printable
from cyclegan.video.encoding import AnyPacket, VideoTrack
from cyclegan.video.frames import with_remark

COPIED = ("audio", "subtitle", "attachment")
STALE = {  # tags in which a file describes its own bytes
    "bps",
    "compatible_brands",
    "duration",
    "encoder",
    "major_brand",
    "minor_version",
    "number_of_bytes",
    "number_of_frames",
}


class Muxer:
    """A clip being written: takes the encoded frames, and packets of other streams from the source."""

    def __init__(self, output: OutputContainer, clip: InputContainer, video: VideoStream, remark: str) -> None:
        self.output = output
        self.clip = clip
        self.track = VideoTrack(output, video, output.format.name)
        self.copies: dict[int, Stream] = {}  # by their number in the source
        self.notes: list[str] = []
        describe(self.track.stream, video)
        for stream in clip.streams:
            if stream is not video:
                self._add_copy(stream, clip.name)
        output.metadata.update(marked(kept(clip.metadata), remark))
        output.set_chapters(clip.chapters())

    def write(self, frames: Iterable[AnyPacket], end: Fraction) -> None:
        """Write the frames, of which the last ends at a time in seconds, and what is copied, in the order of time."""
        others = self._copied() if self.copies else iter(())
        for packet in heapq.merge(with_durations(frames, end), others, key=time_of):
            self.output.mux(packet)

    def _copied(self) -> Iterator[AnyPacket]:
        """Yield the packets of other streams as they are; some streams are left out."""
        for packet in self.clip.demux():
            if packet.stream_index in self.copies and packet.dts is not None:  # one without only flushes a decoder
                packet.stream = self.copies[packet.stream_index]
                yield packet

    def _add_copy(self, stream: Stream, path: str) -> None:
        """Make the stream for one of the source's that is copied, if the container takes it; sound it must take."""
        if is_written_anyway(stream, self.track.source, self.output.format.name):
            return
        if stream.disposition & Disposition.attached_pic:
            self.notes.append("Its cover picture is left out, because it may show the original.")
            return
        try:
            if stream.type not in COPIED:
                raise ValueError(f"nothing is known of {stream.type} streams")
            copy = self.output.add_stream_from_template(stream)
        except ValueError as error:
            if stream.type == "audio" and stream.codec_context is not None:  # a player could have played it
                raise PictureError(
                    f"the sound of {printable(path)} ({stream.name}) cannot be put into {self.output.format.name}.",
                    "Keep the clip's own format.",
                ) from error
            kind = stream.name if stream.codec_context is not None else ""  # which it has from there
            self.notes.append(f"Its {stream.type} stream ({kind or 'of an unknown kind'}) is left out.")
            return
        describe(copy, stream)
        self.copies[stream.index] = copy


def is_written_anyway(stream: Stream, video: VideoStream, container: str) -> bool:
    """Tell whether libav writes a stream by itself: titles of chapters, and a time code, from the tags."""
    if stream.type != "data":
        return False
    time_code = "timecode" in stream.metadata and "timecode" in {*video.metadata, *video.container.metadata}
    return stream.discard == Discard.all or (time_code and container != "avi")


def with_durations(packets: Iterable[AnyPacket], end: Fraction) -> Iterator[AnyPacket]:
    """Yield packets that last until the next, the last until the end; what decoders say of VFR is wrong."""
    before: AnyPacket | None = None
    for packet in packets:
        if before is not None:
            before.duration = (packet.pts or 0) - (before.pts or 0)
            yield before
        before = packet
    if before is not None:
        before.duration = round(end / before.time_base) - (before.pts or 0)
        yield before


def time_of(packet: AnyPacket) -> Fraction:
    """Return when a packet is decoded, seconds."""
    return (packet.dts or 0) * packet.time_base


def describe(stream: Stream, like: Stream) -> None:
    """Give a stream the tags (language, title) and the role of another."""
    stream.metadata.update(kept(like.metadata))
    stream.disposition = like.disposition


def kept(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that are as true of a redrawn clip."""
    return {name: value for name, value in tags.items() if not is_stale(name)}


def is_stale(name: str) -> bool:
    """Tell whether a tag describes the bytes of its file; Matroska's are in capitals and may end in a language."""
    return name.startswith("_STATISTICS") or name.lower().split("-")[0] in STALE


def marked(tags: Mapping[str, str], remark: str) -> dict[str, str]:
    """Return tags with the remark in the comment, whatever the case of its name."""
    name = next((name for name in tags if name.lower() == "comment"), "comment")
    return {**tags, name: with_remark(tags.get(name, ""), remark)}
