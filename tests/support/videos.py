"""Small synthetic videos, and a plain reader of videos."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags

from cyclegan.video.color import to_frame, to_pixels
from cyclegan.video.frames import VIDEO_SUFFIXES

FRAMES = 12
RATE = 25
QUIET = {"libx265": {"x265-params": "log-level=error"}}


@dataclass
class Recipe:
    """How to make a video."""

    codec: str = "libx264"
    sound: str = ""
    size: tuple[int, int] = (64, 48)
    pixel_format: str = "yuv420p"
    times: Sequence[int] = tuple(range(0, FRAMES * 3600, 3600))  # ticks of the clock
    last: int = 3600
    clock: Fraction = Fraction(1, 90000)
    matrix: int = 2
    range: int = 0
    rotation: tuple[float, bool] | None = None
    options: dict[str, str] = field(default_factory=lambda: {"crf": "4"})
    aspect: Fraction | None = None
    tags: dict[str, str] = field(default_factory=dict)


def picture(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Return a smooth scene of saturated colors, lighter with every frame, whose top left is red."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    scene = np.stack([200 - 2 * x, 40 + 2 * y, 60 + x + y], -1) + 2 * number
    scene[: height // 4, : width // 4] = (235, 20, 20)
    return scene.clip(0, 255).astype(np.uint8)


def make_video(path: Path, recipe: Recipe | None = None) -> Path:
    """Write a video; its sound, if any, is a tone of its length."""
    recipe = recipe or Recipe()
    with av.open(str(path), "w", format=VIDEO_SUFFIXES[path.suffix.lower()]) as output:
        output.metadata.update(recipe.tags)
        options = recipe.options | QUIET.get(recipe.codec, {})
        video: Any = output.add_stream(recipe.codec, RATE, options, time_base=recipe.clock)
        video.width, video.height = recipe.size
        video.pix_fmt = recipe.pixel_format
        context = video.codec_context
        context.flags |= Flags.frame_duration
        context.colorspace, context.color_range = recipe.matrix, recipe.range
        if recipe.aspect:
            context.sample_aspect_ratio = recipe.aspect
        if recipe.rotation:
            video.set_display_rotation(recipe.rotation[0], hflip=recipe.rotation[1])
        tone: Any = output.add_stream(recipe.sound, 48000, layout="mono") if recipe.sound else None
        durations = [later - now for now, later in zip(recipe.times, recipe.times[1:], strict=False)] + [recipe.last]
        for number, (time, duration) in enumerate(zip(recipe.times, durations, strict=True)):
            output.mux(video.encode(to_coded(picture(number, recipe.size), recipe, time, duration)))
        output.mux(video.encode(None))
        if tone:
            write_tone(output, tone, (recipe.times[-1] + recipe.last) * recipe.clock)
    return path


def to_coded(pixels: np.ndarray, recipe: Recipe, time: int, duration: int) -> av.VideoFrame:
    like = av.VideoFrame(*recipe.size, recipe.pixel_format)
    like.colorspace, like.color_range = recipe.matrix, recipe.range
    like.pts, like.duration, like.time_base = time, duration, recipe.clock
    return to_frame(pixels, like, recipe.pixel_format, recipe.size)


def write_tone(output: Any, stream: Any, seconds: Fraction) -> None:
    wave = (8000 * np.sin(np.arange(int(seconds * 48000)) / 20)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


@dataclass
class VideoContents:
    """Everything that a video holds, read without the package."""

    frames: list[av.VideoFrame]
    pixels: list[np.ndarray]  # as stored, RGB
    times: list[Fraction]  # seconds
    seconds: float
    packets: dict[str, list[tuple[Any, ...]]]  # of the streams that are not video: time, bytes
    tags: dict[str, str]
    aspect: Fraction | None
    codec: str


def read_video(path: Path) -> VideoContents:
    packets: dict[str, list[tuple[Any, ...]]] = {}
    with av.open(str(path)) as container:
        for packet in container.demux([stream for stream in container.streams if stream.type != "video"]):
            if packet.dts is not None:
                packets.setdefault(packet.stream.type, []).append((packet.pts * packet.time_base, bytes(packet)))
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        return VideoContents(
            frames=frames,
            pixels=[to_pixels(frame) for frame in frames],
            times=[frame.pts * frame.time_base for frame in frames],
            seconds=container.duration / 1_000_000,
            packets=packets,
            tags=dict(container.metadata),
            aspect=video.sample_aspect_ratio,
            codec=video.codec.canonical_name,
        )
