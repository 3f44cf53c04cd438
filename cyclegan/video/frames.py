"""Types and options that videos and animations share; nothing here loads a decoder."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from cyclegan.errors import PictureError
from cyclegan.images.xmp import source_type
from cyclegan.text import printable

FramePixels = UInt8[np.ndarray, "_h _w 3"]
FrameFunction = Callable[[Any], FramePixels]  # of a frame, or what `ahead` makes of it; all outputs have one size

Frame = TypeVar("Frame")

SavedArrays = Mapping[str, np.ndarray]  # arrays by name, as they are saved

SEGMENT_SECONDS = 60.0  # of work in one segment of a video; a kill loses no more than that

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
READ_ONLY_VIDEOS = dict.fromkeys(  # suffix -> suffix of the output: a container that takes every codec
    (".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".flv", ".ogv"), ".mkv"
)


class FrameState:
    """What a frame function carries from one frame to the next: here, nothing."""

    def state_dict(self) -> SavedArrays:
        """Return everything that the next output depends on, beside the next frame."""
        return {}

    def load_state_dict(self, state: SavedArrays) -> None:
        """Continue after the frame at which `state` was saved; an empty state is that before the first frame."""


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How videos and animations are mapped, beside the function of each frame."""

    mark: str  # names the system that generated the output
    composite: bool = False  # the output is blended with the original
    quality: int | None = None  # of lossy animations, 1 to 100; None: the usual one
    max_pixels: int  # of one frame
    on_frame: Callable[[], object] = lambda: None  # called after every frame
    interrupted: Callable[[], bool] = lambda: False  # asked before every frame
    recipe: str = ""  # names the model and options behind the function; segments of another recipe are not used
    state: FrameState = field(default_factory=FrameState)  # of the function
    # Prepares frames for the function, in their order, and may read some ahead: what depends on no other frame.
    ahead: Callable[[Iterator[FramePixels]], Iterator[Any]] = iter
    segment_seconds: float = SEGMENT_SECONDS

    @property
    def remark(self) -> str:
        """The mark as a comment in the output."""
        return f"{self.mark}, {source_type(composite=self.composite)}"

    def check_size(self, path: Path, width: int, height: int) -> None:
        """Raise an error if frames have too many pixels."""
        if width * height > self.max_pixels:
            raise PictureError(
                f"{printable(path)} has {width} x {height} pixels, more than {self.max_pixels:,}.",
                "Shrink it, or let `translate` take it with --max-pixels.",
            )


@dataclass(frozen=True)
class VideoResult:
    """How a video or an animation was mapped."""

    frames: int
    seconds: float  # from the beginning of the first frame to the end of the last
    notes: tuple[str, ...] = ()  # messages for the user
    finished: bool = True  # False: it was interrupted, and there is no output yet


def with_remark(comment: str, remark: str) -> str:
    """Return a comment that ends in the remark, unless it holds it already."""
    return comment if remark in comment else f"{comment}\n{remark}".lstrip("\n")


def with_prefix(prefix: str, state: SavedArrays) -> SavedArrays:
    """Return a state with a prefix before every name, so that it can be saved with others."""
    return {f"{prefix}{name}": array for name, array in state.items()}


def without_prefix(prefix: str, state: SavedArrays) -> SavedArrays:
    """Return the arrays whose names begin with the prefix, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def prepared_frames(
    frames: Iterable[Frame], pixels_of: Callable[[Frame], FramePixels], options: VideoOptions
) -> Iterator[tuple[Frame, Any]]:
    """Yield frames, and what the function gets of each."""
    waiting: deque[Frame] = deque()

    def pixels() -> Iterator[FramePixels]:
        for frame in frames:
            waiting.append(frame)
            yield pixels_of(frame)

    for prepared in options.ahead(pixels()):
        yield waiting.popleft(), prepared
