"""Clips in video containers: their frames redrawn, all else in them passed through untouched."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from cyclegan.atomic import written_whole
from cyclegan.errors import PictureError, printable
from cyclegan.prefetch import map_ahead
from cyclegan.video.color import UNTAGGED
from cyclegan.video.decoding import Frames, frames_in, main_video, opened, read_errors, seen
from cyclegan.video.frames import VIDEO_SUFFIXES, FrameFunction, VideoOptions, VideoResult
from cyclegan.video.location import write_location
from cyclegan.video.muxing import Muxer
from cyclegan.video.segments import Segments, SegmentWriter, notes_of_others, opened_segments

AHEAD = 3  # frames on their way to be redrawn, and as many on their way into a segment


def map_video(source: Path, target: Path, redraw: FrameFunction, manner: VideoOptions) -> VideoResult:
    """Translate a clip frame by frame, in memory that does not grow with its length.

    `redraw` gets every frame upright, uint8 h w 3, RGB of full range, and may change its size, always to the same.
    Times, sound, subtitles, chapters, tags, rotation and the coding of colour are the source's. The target is written
    whole or not at all, in the container that its suffix names. A source that is damaged, holds no video or has frames
    of too many pixels is a `PictureError` that names it.

    Where it is interrupted, finished segments are kept beside the target, and the next call with the same source,
    target and recipe continues after them.
    """
    key = key_of(source, manner)
    with opened(source) as clip, _write_errors(target), opened_segments(target, key) as segments:
        frames = Frames(clip, source, manner)
        manner.state.load_state_dict(segments.load())
        known = segments.frames
        with SegmentWriter(segments, frames.video, VIDEO_SUFFIXES[target.suffix.lower()]) as writer:
            decoded = map_ahead(seen, frames.decoded(after=known), workers=1, ahead=AHEAD)
            for _ in map_ahead(writer.add, frames.redrawn(decoded, redraw), workers=1, ahead=AHEAD):
                pass
        seconds = float(frames.times.end - frames.times.begin)
        if frames.interrupted:
            return VideoResult(segments.frames, seconds, _notes_of_interruption(segments, frames), finished=False)
        notes = [f"Its first {known:,} frames were there from an interrupted translation."] if known else []
        notes += join(segments, source, target, frames, manner.remark)
        notes += notes_of_others(target, key)
        segments.clear()
        return VideoResult(frames.times.frames, seconds, tuple(notes))


def key_of(source: Path, manner: VideoOptions) -> str:
    """Return what decides about the frames of an output."""
    with read_errors(source), source.open("rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()}\n{manner.recipe}"


def join(segments: Segments, source: Path, target: Path, frames: Frames, remark: str) -> list[str]:
    """Write the segments into the target, with all that is copied from the source; return what is to be said of it."""
    with opened(source) as clip, written_whole(target) as aside:
        with av.open(f"file:{aside}", "w", **_container(target, clip, frames.video)) as output:
            film = Muxer(output, clip, main_video(clip, source), remark)
            film.track.settle(frames.first, *segments.size)
            film.write(segments.packets(film.track.stream), frames.times.end)
        if "location" in clip.metadata and output.format.name in ("mp4", "mov"):
            write_location(aside, clip.metadata["location"])
    return film.notes


def _notes_of_interruption(segments: Segments, frames: Frames) -> tuple[str, ...]:
    if not segments.frames:
        return ()
    total = frames_in(frames.clip, frames.video)
    share = f"{segments.frames:,} of {total:,}" if total else f"{segments.frames:,}"
    return (f"The first {share} frames are kept in {printable(segments.folder.name)}; the same command continues.",)


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    """Turn what an encoder or a container refuses into a sentence."""
    try:
        yield
    except FFmpegError as error:
        if isinstance(error, OSError):
            raise  # it is the disk's
        reason = f"{printable(target)} cannot be written as {VIDEO_SUFFIXES[target.suffix.lower()]}: {error.strerror}."
        raise PictureError(reason, "Choose another format.") from error


def _container(target: Path, clip: InputContainer, video: VideoStream) -> dict[str, Any]:
    """Return the container of a target, and its options for a clip."""
    container, flags = VIDEO_SUFFIXES[target.suffix.lower()], []
    if container in ("mp4", "mov"):
        if any(name.startswith("com.") for name in clip.metadata):
            flags.append("use_metadata_tags")  # keeps tags of any name
        if video.codec_context.color_range or video.codec_context.colorspace != UNTAGGED:
            flags.append("write_colr")  # where MPEG-4 has its range and matrix, also where nothing is said of primaries
    options = {"movflags": "+".join(flags)} if flags else {}
    return {"format": container, "options": options, "metadata_errors": "surrogateescape"}
