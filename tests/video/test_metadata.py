"""Tags, chapters, covers and time codes of a video are kept, or left out with a note."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from cyclegan.video.frames import VideoOptions
from cyclegan.video.location import with_location
from cyclegan.video.videos import map_video
from tests.support.videos import Recipe, make_video, picture, read_video

OPTIONS = VideoOptions(mark="generated", max_pixels=1_000_000)
PLACE = "+48.1371+011.5754/"
CHAPTER = {"id": 0, "start": 0, "end": 480, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
FULL = Recipe("mpeg4", matrix=1, range=2, options={}, clock=Fraction(1, 45000))


def translated(source: Path, target: Path | None = None) -> tuple[Path, Sequence[str]]:
    target = target or source.with_name(f"out_{source.name}")
    return target, map_video(source, target, np.copy, OPTIONS).notes


def make_tagged(path: Path, *, tags: dict[str, str], video_tags: dict[str, str], chapters: Sequence[Any] = ()) -> Path:
    options = {"movflags": "use_metadata_tags"} if any(name.startswith("com.") for name in tags) else {}
    with av.open(str(path), "w", options=options) as output:
        output.metadata.update(tags)
        video = output.add_stream("libx264", 25, width=64, height=48)
        video.metadata.update(video_tags)
        output.set_chapters(list(chapters))
        for _ in range(12):
            output.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(video.encode(None))
    return path


def with_cover(path: Path, *, first: bool) -> Path:
    """Write a video with a green cover, as an attachment in Matroska, as its first or second stream in MP4."""
    cover = BytesIO()
    Image.new("RGB", (40, 40), (9, 200, 9)).save(cover, "JPEG")
    with av.open(str(path), "w") as output:
        stream = None
        if path.suffix == ".mkv":
            output.add_attachment("cover.jpg", "image/jpeg", cover.getvalue())
        elif first:
            stream = output.add_mux_stream("mjpeg", width=40, height=40)
        video = output.add_stream("libx264", 25, width=64, height=48)
        if path.suffix == ".mp4":
            stream = stream or output.add_mux_stream("mjpeg", width=40, height=40)
            stream.disposition, stream.time_base = Disposition.attached_pic, Fraction(1, 90000)
            packet = av.Packet(cover.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, stream.time_base
            output.mux(packet)
        for number in range(3):
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture(number))))
        output.mux(video.encode(None))
    return path


@pytest.mark.parametrize(("name", "first"), [("a.mp4", True), ("a.mp4", False), ("a.mkv", False)])
def test_cover_pictures_are_not_the_video(tmp_path, name: str, first: bool):
    target, notes = translated(with_cover(tmp_path / name, first=first))
    assert read_video(target).pixels[0].shape == (48, 64, 3)
    assert len(read_video(target).frames) == 3
    assert notes == ("Its cover picture is left out, because it may show the original.",)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize(
    "tags",
    [
        {"location": PLACE},  # Android's and older QuickTime's
        {"location": PLACE, "com.android.version": "14"},
        {"com.apple.quicktime.location.ISO6709": "+48.1371+011.5754+520.000/", "com.apple.quicktime.make": "Apple"},
    ],
)
def test_place_and_time_of_recording_are_kept(tmp_path, name: str, tags: dict[str, str]):
    tags = {**tags, "creation_time": "2024-05-01T10:11:12.000000Z"}
    source = make_tagged(tmp_path / name, tags=tags, video_tags={})
    target, notes = translated(source)
    after = read_video(target).tags
    assert {tag: after[tag] for tag in tags} == tags
    assert notes == ()
    assert (b"\xa9xyz" in target.read_bytes()) == ("location" in tags)


def test_a_location_is_added_to_user_data():
    added = bytes.fromhex("0000001a a978797a 000e 15c7") + b"+1.5-002.5+3.4"
    moov = bytes.fromhex("00000010 6d6f6f76 00000008 6d766864")
    begun = bytes.fromhex("00000018 6d6f6f76 00000008 6d766864 00000008 75647461")
    expected = bytes.fromhex("00000032 6d6f6f76 00000008 6d766864 00000022 75647461") + added
    assert with_location(moov, "+1.5-002.5+3.4") == expected
    assert with_location(begun, "+1.5-002.5+3.4") == expected


@pytest.mark.parametrize(("name", "target"), [("a.mov", "b.mov"), ("a.mp4", "b.mp4"), ("a.mov", "b.mkv")])
def test_a_time_code_is_kept_without_a_note(tmp_path, name: str, target: str):
    source = make_tagged(tmp_path / name, tags={}, video_tags={"timecode": "01:02:03:04"})
    path, notes = translated(source, tmp_path / target)
    assert notes == ()
    with av.open(str(path)) as container:
        tags = {
            tag.lower(): text for tag, text in {**container.metadata, **container.streams.video[0].metadata}.items()
        }
        assert tags["timecode"] == "01:02:03:04"
        assert [stream.type for stream in container.streams] == ["video"] + ["data"] * (path.suffix != ".mkv")


def test_a_time_code_lost_in_avi_is_noted(tmp_path):
    source = make_tagged(tmp_path / "a.mov", tags={}, video_tags={"timecode": "01:02:03:04"})
    assert translated(source, tmp_path / "b.avi")[1] == ("Its data stream (of an unknown kind) is left out.",)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_chapters_are_kept_without_a_note(tmp_path, name: str):
    target, notes = translated(make_tagged(tmp_path / name, tags={}, video_tags={}, chapters=[CHAPTER]))
    with av.open(str(target)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one"]
    assert notes == ()


@pytest.mark.parametrize(
    ("source", "target", "limits"),
    [("a.mp4", "b.mp4", 2), ("a.mkv", "b.mkv", 2), ("a.mp4", "b.mkv", 2), ("a.mp4", "b.mov", 0), ("a.mp4", "b.avi", 0)],
)
def test_full_range_of_mpeg4_is_kept_or_converted(tmp_path, source: str, target: str, limits: int):
    made = make_video(tmp_path / "made.mkv", replace(FULL, times=range(0, 6 * 1800, 1800), last=1800))
    remux(made, tmp_path / source)  # into MP4's `colr`, without primaries
    before, after = read_video(tmp_path / source), read_video(translated(tmp_path / source, tmp_path / target)[0])
    assert before.frames[0].color_range == 2
    assert after.frames[0].color_range == limits
    assert np.abs(before.pixels[0].astype(int) - after.pixels[0]).mean() < 2


def remux(source: Path, target: Path) -> None:
    """Copy the video into another container, with its color tags."""
    options = {"movflags": "write_colr"} if target.suffix == ".mp4" else {}
    with av.open(str(source)) as container, av.open(str(target), "w", options=options) as output:
        copy = output.add_stream_from_template(container.streams.video[0], opaque=True)
        for packet in container.demux():
            if packet.dts is not None:
                packet.stream = copy
                output.mux(packet)
