"""Videos mapped frame by frame; their other streams are copied."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from cyclegan.atomic import atomic_write
from cyclegan.errors import PictureError
from cyclegan.prefetch import map_ahead
from cyclegan.text import printable
from cyclegan.video.color import UNSPECIFIED_MATRIX
from cyclegan.video.decoding import DecodedFrame, VideoReader, frames_in, main_stream, open_video, read_errors
from cyclegan.video.frames import VIDEO_SUFFIXES, FrameFunction, SavedArrays, VideoOptions, VideoResult, prepared_frames
from cyclegan.video.location import write_location
from cyclegan.video.muxing import Muxer
from cyclegan.video.scheduling import kept_scheduling
from cyclegan.video.segments import Segments, SegmentWriter, notes_on_other_segments, open_segments

AHEAD_FRAMES = 3  # between decoder and function, and as many between function and encoder


def map_video(source: Path, target: Path, function: FrameFunction, options: VideoOptions) -> VideoResult:
    """Write a video whose frames are the function's outputs, in memory that does not grow with its length.

    `function` gets every frame upright, uint8 h w 3, RGB of full range, or what `options.ahead` makes of it; its
    outputs all have one size, any size. Times, sound, subtitles, chapters, tags, rotation and the coding of colour are
    the source's. The target is written whole or not at all, in the container that its suffix names. A source that is
    damaged, holds no video or has frames of too many pixels is a `PictureError`.

    After an interruption finished segments stay beside the target, and the next call with the same source, target and
    recipe continues after them.
    """
    key = segment_key(source, options)
    with open_video(source) as container, _write_errors(target), open_segments(target, key) as segments:
        reader = VideoReader(container, source, options)
        options.state.load_state_dict(segments.load())
        skipped = segments.frames
        with SegmentWriter(segments, reader, VIDEO_SUFFIXES[target.suffix.lower()]) as writer:
            # Decoding, the function and encoding run at the same time.
            frames = map_ahead(DecodedFrame.of, reader.read(skip=skipped), workers=1, ahead=AHEAD_FRAMES)
            outputs = _outputs(frames, function, reader, options)
            for _ in map_ahead(writer.add, outputs, workers=1, ahead=AHEAD_FRAMES):
                pass
        seconds = float(reader.times.end - reader.times.begin)
        if reader.interrupted:
            notes = _interruption_notes(segments, reader)
            return VideoResult(segments.frames, seconds, notes, finished=False)

        notes = (f"Its first {skipped:,} frames were there from an interrupted translation.",) if skipped else ()
        notes += tuple(_join(segments, source, target, reader, options.remark))
        notes += tuple(notes_on_other_segments(target, key))
        segments.clear()
        return VideoResult(reader.times.frames, seconds, notes)


def segment_key(source: Path, options: VideoOptions) -> str:
    """Return what determines the frames of an output: the source's bytes, and the recipe."""
    with read_errors(source), source.open("rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()}\n{options.recipe}"


def _outputs(
    frames: Iterable[DecodedFrame], function: FrameFunction, reader: VideoReader, options: VideoOptions
) -> Iterator[DecodedFrame | SavedArrays]:
    """Yield output frames, and the state where a segment ends: now and then, and after the last frame."""
    began = time.monotonic()
    for frame, prepared in prepared_frames(frames, lambda frame: frame.pixels, options):
        if reader.interrupted or options.interrupted():
            reader.interrupted = True
            break
        yield frame._replace(pixels=function(prepared))
        options.on_frame()
        if time.monotonic() - began >= options.segment_seconds:
            yield options.state.state_dict()
            began = time.monotonic()
    yield options.state.state_dict()


def _join(segments: Segments, source: Path, target: Path, reader: VideoReader, remark: str) -> list[str]:
    """Write the segments into the target, with the source's other streams; return messages about it."""
    with open_video(source) as container, atomic_write(target) as aside:
        with av.open(f"file:{aside}", "w", **_container_options(target, container, reader.stream)) as output:
            muxer = Muxer(output, container, main_stream(container, source), remark)
            muxer.track.configure(reader.first_frame, *segments.size)
            with kept_scheduling():  # libav opens the encoder here too
                muxer.write(segments.packets(muxer.track.stream), reader.times.end)
        if "location" in container.metadata and output.format.name in ("mp4", "mov"):
            write_location(aside, container.metadata["location"])
    return muxer.notes


def _interruption_notes(segments: Segments, reader: VideoReader) -> tuple[str, ...]:
    if not segments.frames:
        return ()
    total = frames_in(reader.container, reader.stream)
    share = f"{segments.frames:,} of {total:,}" if total else f"{segments.frames:,}"
    return (f"The first {share} frames are kept in {printable(segments.folder.name)}; the same command continues.",)


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    """Turn errors of encoders and muxers into errors that name the target."""
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise  # the disk's error
        reason = f"{printable(target)} cannot be written as {VIDEO_SUFFIXES[target.suffix.lower()]}: {error.strerror}."
        raise PictureError(reason, "Choose another format.") from error


def _container_options(target: Path, source: InputContainer, video: VideoStream) -> dict[str, Any]:
    """Return the arguments of `av.open` for a target."""
    container, flags = VIDEO_SUFFIXES[target.suffix.lower()], []
    if container in ("mp4", "mov"):
        if any(name.startswith("com.") for name in source.metadata):
            flags.append("use_metadata_tags")  # keeps tags of any name
        if video.codec_context.color_range or video.codec_context.colorspace != UNSPECIFIED_MATRIX:
            flags.append("write_colr")  # range and matrix of MPEG-4, also without primaries
    options = {"movflags": "+".join(flags)} if flags else {}
    return {"format": container, "options": options, "metadata_errors": "surrogateescape"}
