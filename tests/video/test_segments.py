"""An interrupted video continues after its finished segments."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from cyclegan.errors import PictureError
from cyclegan.translation.video_frames import FrameFinisher
from cyclegan.video.frames import FramePixels, VideoOptions, VideoResult
from cyclegan.video.segments import segments_folder
from cyclegan.video.smoothing import TemporalSmoother
from cyclegan.video.videos import map_video
from tests.support.videos import FRAMES, Recipe, make_video, read_video

ROOT = Path(__file__).parents[2]
OPTIONS = VideoOptions(mark="generated", max_pixels=1_000_000, recipe="model 1", segment_seconds=0)
KINDS = {
    "a.mp4": Recipe(sound="aac", times=(0, 3000, 4500, 12000, 12150, 20000, 23000, 26100, 29000, 40000, 41000, 50000)),
    "b.mkv": Recipe("libvpx-vp9", "libopus", times=range(45000, 45000 + FRAMES * 3600, 3600)),
    "c.mov": Recipe("libx265", "pcm_s16le"),
    "d.avi": Recipe("mpeg4", "pcm_s16le", clock=Fraction(1, 25), times=range(FRAMES), last=1, options={}),
    "e.webm": Recipe("libsvtav1"),
}


class Counting:
    """Inverts frames, and counts them."""

    def __init__(self) -> None:
        self.frames = 0

    def __call__(self, pixels: FramePixels) -> FramePixels:
        """Invert a frame."""
        self.frames += 1
        return 255 - pixels


def segment_folders(folder: Path) -> list[Path]:
    return list(folder.glob(".*.segments"))


def interrupted(source: Path, target: Path, after: int, options: VideoOptions = OPTIONS) -> VideoResult:
    function = Counting()
    return map_video(source, target, function, replace(options, interrupted=lambda: function.frames == after))


@pytest.mark.parametrize("name", KINDS)
def test_a_continued_video_equals_one_never_interrupted(tmp_path, name: str):
    source, target, whole = make_video(tmp_path / name, KINDS[name]), tmp_path / f"out_{name}", tmp_path / f"x{name}"
    map_video(source, whole, Counting(), OPTIONS)
    result = interrupted(source, target, 5)
    assert not result.finished
    assert not target.exists()
    assert "The first 5" in result.notes[0]
    calls: list[int] = []
    function = Counting()
    assert map_video(source, target, function, replace(OPTIONS, on_frame=lambda: calls.append(1))).frames == FRAMES
    assert function.frames == FRAMES - 5
    assert len(calls) == FRAMES
    one, other = read_video(whole), read_video(target)
    assert (one.times, one.packets, one.codec) == (other.times, other.packets, other.codec)
    assert one.seconds == pytest.approx(other.seconds, abs=1e-3)
    assert all(np.array_equal(a, b) for a, b in zip(one.pixels, other.pixels, strict=True))
    assert segment_folders(tmp_path) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.video.test_segments import OPTIONS, map_video
frames = []
def function(pixels):
    if len(frames) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    frames.append(1)
    return 255 - pixels
map_video(Path(sys.argv[1]), Path(sys.argv[2]), function, OPTIONS)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_a_killed_video_continues_after_its_last_segment(tmp_path):
    source, target = make_video(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    ended = subprocess.run([sys.executable, "-c", KILLED, source, target], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    (folder,) = segment_folders(tmp_path)
    segments = len(list(folder.glob("*.nut")))
    assert segments > 2
    function = Counting()
    result = map_video(source, target, function, OPTIONS)
    assert result.notes == (f"Its first {segments} frames were there from an interrupted translation.",)
    assert function.frames == FRAMES - segments
    assert len(read_video(target).frames) == FRAMES
    assert segment_folders(tmp_path) == []


def test_an_interruption_ends_the_current_segment(tmp_path):
    source, target = make_video(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    assert interrupted(source, target, 5, replace(OPTIONS, segment_seconds=60)).frames == 5
    function = Counting()
    map_video(source, target, function, OPTIONS)
    assert function.frames == FRAMES - 5


def test_segments_of_another_recipe_or_source_are_not_used(tmp_path):
    source, target = make_video(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    interrupted(source, target, 5)
    interrupted(source, tmp_path / "out.mov", 5)
    for other in (replace(OPTIONS, recipe="model 2"), OPTIONS):
        if other is OPTIONS:
            make_video(source, Recipe(options={"crf": "30"}))
        function = Counting()
        result = map_video(source, target, function, other)
        assert function.frames == FRAMES
        assert [folder.name in result.notes[0] for folder in tmp_path.glob(".out.mp4.*")] == [True]  # in a note
    assert len(segment_folders(tmp_path)) == 2


@pytest.mark.parametrize("damage", [b"", b"no video", None])
def test_damaged_segments_are_encoded_again(tmp_path, damage: bytes | None):
    source, target = make_video(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    interrupted(source, target, 5)
    (folder,) = segment_folders(tmp_path)
    first = folder / "00000000.nut"
    first.write_bytes(first.read_bytes()[:-30] if damage is None else damage)
    map_video(source, target, Counting(), OPTIONS)
    assert len(read_video(target).frames) == FRAMES


def test_two_processes_cannot_write_the_same_output(tmp_path):
    source, target = make_video(tmp_path / "a.mp4"), tmp_path / "out.mp4"
    interrupted(source, target, 5)
    (folder,) = segment_folders(tmp_path)
    with FileLock(folder / "lock"), pytest.raises(PictureError, match="is being written by another process"):
        map_video(source, target, Counting(), OPTIONS)
    assert len(list(folder.glob("*.nut"))) == 5


def test_an_interruption_before_the_first_frame_leaves_no_file(tmp_path):
    source = make_video(tmp_path / "a.mp4")
    assert not interrupted(source, tmp_path / "out.mp4", 0).finished
    assert list(tmp_path.iterdir()) == [source]


def test_segment_folders_of_long_names_fit_file_systems():
    folder = segments_folder(Path("ü" * 123 + ".mp4"), "key")
    assert len(folder.name.encode()) < 255
    assert folder != segments_folder(Path("ü" * 124 + ".mp4"), "key")


@pytest.mark.parametrize("at", [1, 6])
def test_smoothed_frames_are_equal_across_an_interruption(tmp_path, at: int):
    source, target = make_video(tmp_path / "a.mp4"), tmp_path / "out.mp4"

    def noisy() -> Iterator[FramePixels]:
        random = np.random.default_rng(0)
        while True:
            yield random.integers(0, 40, (48, 64, 3), dtype=np.uint8)

    noise = noisy()

    def run(target: Path, stop: int) -> tuple[list[FramePixels], FrameFinisher]:
        finish = FrameFinisher(TemporalSmoother(0.8), None)
        outputs: list[FramePixels] = []

        def function(frame: FramePixels) -> FramePixels:
            outputs.append(finish((frame, frame // 2 + next(noise))))
            return outputs[-1]

        options = replace(OPTIONS, state=finish, interrupted=lambda: len(outputs) == stop)
        map_video(source, target, function, options)
        return outputs, finish

    whole, unbroken = run(tmp_path / "whole.mp4", -1)
    noise = noisy()
    first, _ = run(target, at)
    second, continued = run(target, -1)
    assert all(np.array_equal(a, b) for a, b in zip(whole, first + second, strict=True))
    assert continued.flicker() == unbroken.flicker()
