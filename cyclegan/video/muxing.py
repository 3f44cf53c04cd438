"""The clip being written: its video redrawn, all else as the source has it."""

from collections.abc import Mapping

from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from cyclegan.errors import PictureError, printable
from cyclegan.video.encoding import AnyPacket, Shot, VideoTrack
from cyclegan.video.frames import ClipFacts, with_remark

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


class Film:
    """A clip being written; takes redrawn frames, and packets of other streams, in the source's order."""

    def __init__(self, output: OutputContainer, clip: InputContainer, video: VideoStream, remark: str) -> None:
        self.output = output
        self.track = VideoTrack(output, video)
        self.copies: dict[int, Stream] = {}  # by their number in the source
        self.notes: list[str] = []
        self.early: list[AnyPacket] = []  # come before the first frame, which says how large the video is
        describe(self.track.stream, video)
        for stream in clip.streams:
            if stream is not video:
                self._add_copy(stream, clip.name)
        output.metadata.update(marked(kept(clip.metadata), remark))
        output.set_chapters(clip.chapters())

    def add(self, item: Shot | AnyPacket) -> None:
        """Take the next frame or packet."""
        if isinstance(item, Shot):
            packets = self.track.add(item)
            self._copy(self.early)
            self.early = []
            self.output.mux(packets)
        elif self.track.frames == 0:
            self.early.append(item)
        else:
            self._copy([item])

    def finish(self) -> ClipFacts:
        """Write what the encoder still holds; return the facts."""
        self.output.mux(self.track.finish())
        return ClipFacts(self.track.frames, float(self.track.end - self.track.begin), tuple(self.notes))

    def _copy(self, packets: list[AnyPacket]) -> None:
        """Write packets of other streams as they are; some streams are left out."""
        for packet in packets:
            if packet.stream_index in self.copies:
                packet.stream = self.copies[packet.stream_index]
                self.output.mux(packet)

    def _add_copy(self, stream: Stream, path: str) -> None:
        """Make the stream for one of the source's that is copied, if the container takes it; sound it must take."""
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
