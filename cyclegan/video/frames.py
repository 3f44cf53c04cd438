"""What clips of every kind have in common; nothing here loads a decoder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cyclegan.errors import PictureError, printable
from cyclegan.images.xmp import source_type

Pixels = UInt8[np.ndarray, "_h _w 3"]
FrameFunction = Callable[[Pixels], Pixels]  # an upright RGB frame into another; all that come out have one size

State = Mapping[str, np.ndarray]  # arrays by name, as they are saved

SEGMENT_SECONDS = 60.0  # of work after which a segment of a video is finished, so that no more can be lost

VIDEO_SUFFIXES = {  # suffix -> libav's name of the container
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".3gp": "3gp",
    ".wmv": "asf",  # Matroska would not take its sound
    ".asf": "asf",
}
READ_ONLY_VIDEOS = dict.fromkeys(  # suffix -> that of what is written: a container that takes every codec
    (".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".flv", ".ogv"), ".mkv"
)


class FrameState:
    """What is carried from one frame to the next: here, nothing."""

    def state_dict(self) -> State:
        """Return everything that the next frame depends on, beside its pixels."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Continue after the frame after which `state` was returned; an empty one is that before the first."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How clips are redrawn, beside what redraws each frame."""

    mark: str  # which system generated it
    composite: bool = False  # blended with the original
    quality: int = 0  # of lossy animations, 1 to 100; 0: what is usual
    max_pixels: int  # of one frame
    on_frame: Callable[[], object] = lambda: None  # called for every frame redrawn
    interrupted: Callable[[], bool] = lambda: False  # asked before every frame
    recipe: str = ""  # says which model and options redraw the frames; segments of another recipe are not used
    state: FrameState = field(default_factory=FrameState)  # of what redraws the frames
    segment_seconds: float = SEGMENT_SECONDS

    @property
    def remark(self) -> str:
        """That it was generated, and by which system, for a comment."""
        return f"{self.mark}, {source_type(composite=self.composite)}"

    def watched(self, redraw: FrameFunction) -> FrameFunction:
        """Return `redraw`, telling of every frame it has done and stopping when asked to."""

        def watching(pixels: Pixels) -> Pixels:
            if self.interrupted():
                raise InterruptedVideo
            redrawn = redraw(pixels)
            self.on_frame()
            return redrawn

        return watching

    def refuse_larger(self, path: Path, width: int, height: int) -> None:
        """Raise an error if a clip's frames have too many pixels."""
        if width * height > self.max_pixels:
            raise PictureError(
                f"{printable(path)} has {width} x {height} pixels, more than {self.max_pixels:,}.",
                "Shrink it, or let `translate` take it with --max-pixels.",
            )


@dataclass(frozen=True)
class VideoResult:
    """What became of a clip."""

    frames: int
    seconds: float  # from the first frame's beginning to the last one's end
    notes: tuple[str, ...] = ()  # what the user should know of it, each a sentence
    finished: bool = True  # else it was interrupted, and there is no output yet


class InterruptedVideo(Exception):  # noqa: N818 (nothing went wrong)
    """Ends the writing of a clip that nobody wants any more."""


def with_remark(comment: str, remark: str) -> str:
    """Return a comment that holds the remark, after what it said before."""
    return comment if remark in comment else f"{comment}\n{remark}".lstrip("\n")


def with_prefix(prefix: str, state: State) -> State:
    """Return a state whose names begin with the prefix, so that it can be saved with others."""
    return {f"{prefix}{name}": array for name, array in state.items()}


def without_prefix(prefix: str, state: State) -> State:
    """Return the part of a state whose names begin with the prefix, under its own names."""
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
