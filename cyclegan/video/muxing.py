"""The output of a video: encoded frames, and all other streams, tags and chapters as in the source."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from av.container import InputContainer, OutputContainer
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from cyclegan.errors import PictureError
from cyclegan.text import printable
from cyclegan.video.encoding import AnyPacket, VideoTrack
from cyclegan.video.frames import with_remark

COPIED_TYPES = ("audio", "subtitle", "attachment")
FILE_TAGS = {  # tags that describe the bytes of the source file
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
    """Writes the output from encoded frames, and from packets of the source's other streams."""

    def __init__(self, output: OutputContainer, source: InputContainer, video: VideoStream, remark: str) -> None:
        self.output = output
        self.source = source
        self.track = VideoTrack(output, video, output.format.name)
        self.copies: dict[int, Stream] = {}  # by their index in the source
        self.notes: list[str] = []
        copy_tags(video, self.track.stream)
        for stream in source.streams:
            if stream is not video:
                self._add_copy(stream)
        output.metadata.update(with_comment(content_tags(source.metadata), remark))
        output.set_chapters(source.chapters())

    def write(self, frames: Iterable[AnyPacket], end: Fraction) -> None:
        """Write the frames, of which the last ends at `end`, seconds, and copies of the other streams, by time."""
        copies = self._copied_packets() if self.copies else iter(())
        for packet in heapq.merge(with_durations(frames, end), copies, key=decoding_time):
            self.output.mux(packet)

    def _copied_packets(self) -> Iterator[AnyPacket]:
        for packet in self.source.demux():
            if packet.stream_index in self.copies and packet.dts is not None:  # one without dts only flushes a decoder
                packet.stream = self.copies[packet.stream_index]
                yield packet

    def _add_copy(self, stream: Stream) -> None:
        """Add a copy of one of the source's streams, if the container takes it; without its sound there is no video."""
        container = self.output.format.name
        if is_written_by_libav(stream, self.track.source, container):
            return
        if stream.disposition & Disposition.attached_pic:
            self.notes.append("Its cover picture is left out, because it may show the original.")
            return
        try:
            if stream.type not in COPIED_TYPES:
                raise ValueError(f"{stream.type} streams are not copied")
            copy = self.output.add_stream_from_template(stream)
        except ValueError as error:
            has_codec = stream.codec_context is not None
            if stream.type == "audio" and has_codec:  # players can play it
                raise PictureError(
                    f"the sound of {printable(self.source.name)} ({stream.name}) cannot be put into {container}.",
                    "Keep the video's own format.",
                ) from error
            codec = stream.name if has_codec else ""  # PyAV has the name from the codec
            self.notes.append(f"Its {stream.type} stream ({codec or 'of an unknown kind'}) is left out.")
            return
        copy_tags(stream, copy)
        self.copies[stream.index] = copy


def is_written_by_libav(stream: Stream, video: VideoStream, container: str) -> bool:
    """Tell whether libav writes a stream by itself: titles of chapters, and a time code, from the tags."""
    if stream.type != "data":
        return False
    has_time_code = "timecode" in stream.metadata and "timecode" in {*video.metadata, *video.container.metadata}
    return stream.discard == Discard.all or (has_time_code and container != "avi")


def with_durations(packets: Iterable[AnyPacket], end: Fraction) -> Iterator[AnyPacket]:
    """Yield packets that last until the next, the last until `end`; decoders' durations are wrong for VFR."""
    previous: AnyPacket | None = None
    for packet in packets:
        if previous is not None:
            previous.duration = (packet.pts or 0) - (previous.pts or 0)
            yield previous
        previous = packet
    if previous is not None:
        previous.duration = round(end / previous.time_base) - (previous.pts or 0)
        yield previous


def decoding_time(packet: AnyPacket) -> Fraction:
    """Return when a packet is decoded, seconds."""
    return (packet.dts or 0) * packet.time_base


def copy_tags(source: Stream, stream: Stream) -> None:
    """Give a stream the tags (language, title) and the disposition of another."""
    stream.metadata.update(content_tags(source.metadata))
    stream.disposition = source.disposition


def content_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that describe the content, not the bytes of the file."""
    return {name: value for name, value in tags.items() if not is_file_tag(name)}


def is_file_tag(name: str) -> bool:
    """Tell whether a tag describes the bytes of its file; Matroska's are in capitals and may end in a language."""
    return name.startswith("_STATISTICS") or name.lower().split("-")[0] in FILE_TAGS


def with_comment(tags: Mapping[str, str], remark: str) -> dict[str, str]:
    """Return tags with the remark in the comment, whatever the case of its name."""
    name = next((name for name in tags if name.lower() == "comment"), "comment")
    return {**tags, name: with_remark(tags.get(name, ""), remark)}
