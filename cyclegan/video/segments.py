"""Finished segments of a video whose output is not complete yet, so that an interruption loses little work.

They lie in a hidden folder beside the output, `.out.mp4.<key>.segments`: `00000240.nut` holds the encoded frames from
number 240 on, `00000300.npz` the state before frame 300. The key is a hash of the source's bytes and of everything
else that determines the frames, so that other segments are never used.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream
from filelock import FileLock, Timeout

from cyclegan import __version__
from cyclegan.atomic import atomic_write, remove_partials
from cyclegan.errors import PictureError, disk_errors
from cyclegan.text import printable
from cyclegan.video.decoding import DecodedFrame, VideoReader
from cyclegan.video.encoding import AnyPacket, VideoTrack
from cyclegan.video.frames import SavedArrays

SEGMENT_FORMAT = "nut"  # holds every codec, and times to the tick of any time base
MAX_NAME_LENGTH = 40  # of the output's name within the folder's, which some file systems limit to 255 bytes
SUFFIX = ".segments"


class Segments:
    """The segments of one video, in their folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self.frames = 0  # in all segments
        self.size = (0, 0)  # width and height of the encoded frames, pixels; (0, 0) before the first

    def load(self) -> SavedArrays:
        """Find the segments in the folder, and return the state after the last; damaged ones are deleted."""
        remove_partials(self.folder)
        try:
            while self.next_path.exists():
                self._count(self.next_path)
            with np.load(self._state_path(self.frames)) as state:
                return dict(state)
        except FileNotFoundError:
            return {}  # there is no state before the first frame
        except (FFmpegError, OSError, EOFError, ValueError, zipfile.BadZipFile):
            self.clear()
            return {}

    @property
    def next_path(self) -> Path:
        """Where the next segment is written."""
        return self.folder / f"{self.frames:08}.nut"

    def add(self, path: Path, frames: int) -> None:
        """Count a segment that is complete."""
        self.paths.append(path)
        self.frames += frames

    def save_state(self, frames: int, state: SavedArrays) -> None:
        """Save the state after so many frames."""
        arrays: dict[str, Any] = dict(state)
        with atomic_write(self._state_path(frames)) as aside, aside.open("wb") as file:
            np.savez(file, **arrays)

    def remove_old_states(self) -> None:
        """Delete all states but the last; they can be large."""
        for path in self.folder.glob("*.npz"):
            if path != self._state_path(self.frames):
                path.unlink()

    def packets(self, stream: VideoStream) -> Iterator[AnyPacket]:
        """Yield all encoded frames, as packets of a stream of the output."""
        for path in self.paths:
            with av.open(f"file:{path}") as file:
                for packet in file.demux():
                    if packet.size:  # the last packet of a file is empty
                        packet.stream = stream
                        yield packet

    def clear(self) -> None:
        """Delete all segments and states."""
        for path in [*self.folder.glob("*.nut"), *self.folder.glob("*.npz")]:
            path.unlink()
        self.paths, self.frames, self.size = [], 0, (0, 0)

    def _count(self, path: Path) -> None:
        with av.open(f"file:{path}") as file:
            context = file.streams.video[0].codec_context
            self.size = context.width, context.height
            self.add(path, sum(packet.size > 0 for packet in file.demux()))

    def _state_path(self, frames: int) -> Path:
        return self.folder / f"{frames:08}.npz"


@contextmanager
def open_segments(target: Path, key: str) -> Iterator[Segments]:
    """Yield the segments of an output that were made with this key; an empty folder is deleted at the end.

    A `PictureError` within deletes all segments: source or target cannot be used at all.
    """
    folder = segments_folder(target, key)
    with disk_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        reason = f"{printable(target)} is being written by another process."
        raise PictureError(reason, "Wait for it, or choose another --output.") from error
    segments = Segments(folder)
    try:
        yield segments
    except PictureError:
        segments.clear()
        raise
    finally:
        lock.release()
        if not any(folder.glob("*.nut")):
            shutil.rmtree(folder, ignore_errors=True)


def segments_folder(target: Path, key: str) -> Path:
    """Return the folder of the segments of an output that are made with this key."""
    digest = hashlib.sha256("\n".join((target.name, key, __version__, av.__version__)).encode("utf-8", "replace"))
    return target.with_name(f"{_folder_prefix(target)}{digest.hexdigest()[:8]}{SUFFIX}")


def notes_on_other_segments(target: Path, key: str) -> list[str]:
    """Return messages about segments of an output that were made with other keys."""
    folders = set(target.parent.glob(f"{escape(_folder_prefix(target))}*{SUFFIX}")) - {segments_folder(target, key)}
    return [
        f"{printable(folder.name)} holds a part of it that was made with another model, options or source; "
        "delete that folder if it is not needed."
        for folder in sorted(folders)
    ]


def _folder_prefix(target: Path) -> str:
    return f".{target.name[:MAX_NAME_LENGTH]}."


class SegmentWriter:
    """Encodes frames into the next segment; a segment that is not complete at the exit is deleted."""

    def __init__(self, segments: Segments, reader: VideoReader, container: str) -> None:
        self.segments = segments
        self.reader = reader
        self.container = container
        self.stack = ExitStack()
        self.track: VideoTrack | None = None
        self.frames = 0

    def add(self, item: DecodedFrame | SavedArrays) -> None:
        """Encode the next frame, or end the segment with the state after it."""
        if isinstance(item, DecodedFrame):
            self.track = self.track or self._begin(item)
            self.output.mux(self.track.encode(item))
            self.frames += 1
        elif self.track:
            self._end(self.track, item)

    def _begin(self, frame: DecodedFrame) -> VideoTrack:
        aside = self.stack.enter_context(atomic_write(self.segments.next_path))
        self.output = self.stack.enter_context(av.open(f"file:{aside}", "w", SEGMENT_FORMAT))
        track = VideoTrack(self.output, self.reader.stream, self.container)
        if not self.segments.frames:
            height, width = track.stored(frame).shape[:2]
            self.segments.size = width, height
        track.configure(self.reader.first_frame, *self.segments.size)
        return track

    def _end(self, track: VideoTrack, state: SavedArrays) -> None:
        self.output.mux(track.stream.encode(None))
        path = self.segments.next_path
        # The state comes first: a segment without one could not be continued.
        if state:
            self.segments.save_state(self.segments.frames + self.frames, state)
        self.stack.close()
        self.segments.add(path, self.frames)
        self.segments.remove_old_states()
        self.track, self.frames = None, 0

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(FFmpegError):  # a full disk has raised an error already
            self.stack.__exit__(kind, error, trace)
