"""Finished segments of a video whose output is not whole yet, so that an interruption loses little work.

They lie in a hidden folder beside the output, `.out.mp4.<key>.segments`: `00000240.nut` holds the encoded frames from
number 240 on, `00000300.npz` what the frame of that number depends on. The key stands for the source's bytes and for
everything that decides about the frames, so segments made otherwise are never met.
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
from cyclegan.atomic import remove_partials, written_whole
from cyclegan.errors import PictureError, disk_errors, printable
from cyclegan.video.encoding import AnyPacket, TimedFrame, VideoTrack
from cyclegan.video.frames import State

CONTAINER = "nut"  # holds every codec, and times to the tick of any clock
LONGEST_NAME = 40  # characters of the output's name in the folder's, which some systems limit to 255 bytes
END = ".segments"


class Segments:
    """The segments of one video, in their folder; `frames` is how many frames they hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []
        self.frames = 0
        self.size = (0, 0)  # pixels, width and height; of no frame yet

    def load(self) -> State:
        """Find the segments that are there, and return the state after the last; damaged ones are deleted."""
        remove_partials(self.folder)
        try:
            while self._path(self.frames).exists():
                self._count(self._path(self.frames))
            with np.load(self._state_path()) as state:
                return dict(state)
        except FileNotFoundError:
            return {}  # there is no state before the first frame
        except (FFmpegError, OSError, EOFError, ValueError, zipfile.BadZipFile):
            self.clear()
            return {}

    def add(self, path: Path, frames: int, size: tuple[int, int]) -> None:
        """Count a segment that was written."""
        self.paths.append(path)
        self.frames += frames
        self.size = size

    def next_path(self) -> Path:
        """Return where the next segment is written."""
        return self._path(self.frames)

    def save_state(self, frames: int, state: State) -> None:
        """Save the state after so many frames."""
        arrays: dict[str, Any] = dict(state)
        with written_whole(self._state_path(frames)) as aside, aside.open("wb") as file:
            np.savez(file, **arrays)

    def remove_states(self) -> None:
        """Delete the states after all segments but the last; they can be large."""
        for path in self.folder.glob("*.npz"):
            if path != self._state_path():
                path.unlink()

    def packets(self, stream: VideoStream) -> Iterator[AnyPacket]:
        """Yield all encoded frames, for a stream of the output."""
        for path in self.paths:
            with av.open(f"file:{path}") as file:
                for packet in file.demux():
                    if packet.size:  # the last of a file is empty
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
            self.add(path, sum(packet.size > 0 for packet in file.demux()), (context.width, context.height))

    def _path(self, frames: int) -> Path:
        return self.folder / f"{frames:08}.nut"

    def _state_path(self, frames: int | None = None) -> Path:
        return self.folder / f"{self.frames if frames is None else frames:08}.npz"


@contextmanager
def opened_segments(target: Path, key: str) -> Iterator[Segments]:
    """Yield the segments of an output that were made with this key; the folder stays only if it holds some.

    A `PictureError` within says that the source or the target cannot be worked with, so then nothing stays.
    """
    folder = folder_of(target, key)
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


def notes_of_others(target: Path, key: str) -> list[str]:
    """Name the folders beside an output whose segments of it were made otherwise."""
    folders = set(target.parent.glob(f"{escape(_beginning(target))}*{END}")) - {folder_of(target, key)}
    return [
        f"{printable(folder.name)} holds a part of it that was made with another model, options or source; "
        "delete that folder if it is not needed."
        for folder in sorted(folders)
    ]


def _beginning(target: Path) -> str:
    return f".{target.name[:LONGEST_NAME]}."


def folder_of(target: Path, key: str) -> Path:
    """Return where the segments of an output lie that are made with this key."""
    digest = hashlib.sha256("\n".join((target.name, key, __version__, av.__version__)).encode("utf-8", "replace"))
    return target.with_name(f"{_beginning(target)}{digest.hexdigest()[:8]}{END}")


class SegmentWriter:
    """Encodes frames into the segment that comes next; one that is not ended when this is left is gone."""

    def __init__(self, segments: Segments, source: VideoStream, container: str) -> None:
        self.segments = segments
        self.source = source
        self.container = container
        self.stack = ExitStack()
        self.track: VideoTrack | None = None
        self.frames = 0

    def add(self, item: TimedFrame | State) -> None:
        """Take the next frame, or the state at which the segment ends."""
        if isinstance(item, TimedFrame):
            self.track = self.track or self._begin(item)
            self.output.mux(self.track.encode(item))
            self.frames += 1
        elif self.track:
            self._end(self.track, item)

    def _begin(self, shot: TimedFrame) -> VideoTrack:
        aside = self.stack.enter_context(written_whole(self.segments.next_path()))
        self.output = self.stack.enter_context(av.open(f"file:{aside}", "w", CONTAINER))
        track = VideoTrack(self.output, self.source, self.container)
        if not self.segments.frames:
            height, width = track.stored(shot).shape[:2]
            self.segments.size = width, height
        track.settle(shot.first, *self.segments.size)
        return track

    def _end(self, track: VideoTrack, state: State) -> None:
        """Finish the segment: its state first, without which nobody could continue after it."""
        self.output.mux(track.stream.encode(None))
        path = self.segments.next_path()
        if state:
            self.segments.save_state(self.segments.frames + self.frames, state)
        self.stack.close()
        self.segments.add(path, self.frames, self.segments.size)
        self.segments.remove_states()
        self.track, self.frames = None, 0

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(FFmpegError):  # that the disk is full is known already
            self.stack.__exit__(kind, error, trace)
