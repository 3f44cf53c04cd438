"""A mapped video equals its source in everything but the pixels."""

import os
import sys
import weakref
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from cyclegan.errors import DiskError, PictureError
from cyclegan.video import encoding, scheduling
from cyclegan.video.decoding import count_frames
from cyclegan.video.frames import FramePixels
from cyclegan.video.videos import map_video
from tests.support.videos import (
    FRAMES,
    OPTIONS,
    Recipe,
    difference,
    make_video,
    map_to_contents,
    picture,
    read_video,
    same,
    write_tone,
)

UNEVEN = (0, 3000, 4500, 12000, 12150, 20000, 23000, 26100, 29000, 40000, 41000, 50000)

KINDS = {
    "a.mp4": Recipe(sound="aac"),
    "b.mp4": Recipe("mpeg4", "aac", clock=Fraction(1, 45000), options={}),
    "c.mov": Recipe("libx265", "pcm_s16le"),
    "d.mkv": Recipe(sound="flac"),
    "e.mkv": Recipe("libvpx-vp9", "libopus"),
    "f.webm": Recipe("libvpx-vp9", "libopus"),
    "g.avi": Recipe("mpeg4", "pcm_s16le", clock=Fraction(1, 25), times=range(FRAMES), last=1, options={}),
    "h.m4v": Recipe(pixel_format="yuv422p10le", sound="aac"),
}


@pytest.mark.parametrize("name", KINDS)
def test_codec_times_duration_and_sound_are_kept(tmp_path, name: str):
    before = read_video(make_video(tmp_path / name, KINDS[name]))
    after = map_to_contents(tmp_path / name)
    assert (after.codec, after.frames[0].format.name) == (before.codec, before.frames[0].format.name)
    assert len(after.frames) == FRAMES
    assert after.times == before.times
    assert abs(after.seconds - before.seconds) < 1 / 25
    assert len(before.packets["audio"]) > 4
    assert after.packets == before.packets
    assert difference(before, after) < 2


def test_a_codec_without_encoder_becomes_h264(tmp_path):
    make_video(tmp_path / "a.mov", Recipe("mjpeg", "aac", pixel_format="yuvj420p", options={}, range=2))
    assert map_to_contents(tmp_path / "a.mov").codec == "h264"


@pytest.mark.parametrize("name", ["a.mp4", "b.mov", "c.mkv"])
@pytest.mark.parametrize("beginning", [0, 45000])
def test_variable_frame_rates_are_kept_to_the_tick(tmp_path, name: str, beginning: int):
    recipe = Recipe(sound="aac", times=[beginning + time for time in UNEVEN], last=9000)
    before = read_video(make_video(tmp_path / name, recipe))
    after = map_to_contents(tmp_path / name)
    assert after.times == before.times
    assert after.packets == before.packets
    assert abs(after.seconds - before.seconds) < 1 / 25


@pytest.mark.parametrize("last", [900, 45000])
def test_the_duration_of_the_last_frame_is_kept(tmp_path, last: int):
    recipe = Recipe(times=UNEVEN, last=last, options={"crf": "4", "bf": "0"})
    before = read_video(make_video(tmp_path / "a.mp4", recipe))
    assert before.seconds == pytest.approx((UNEVEN[-1] + last) / 90000, abs=1e-3)
    assert map_to_contents(tmp_path / "a.mp4").seconds == pytest.approx(before.seconds, abs=1e-3)


@pytest.mark.parametrize("codec", ["libvpx-vp9", "mpeg4"])
@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48)])
def test_odd_sizes_are_kept(tmp_path, codec: str, size: tuple[int, int]):
    make_video(tmp_path / "a.mkv", Recipe(codec, size=size, clock=Fraction(1, 1000), times=range(0, 400, 40), last=40))
    assert map_to_contents(tmp_path / "a.mkv").pixels[-1].shape == (*size[::-1], 3)


def test_video_frames_may_change_size_even_to_an_odd_one(tmp_path):
    make_video(tmp_path / "a.mp4", Recipe(rotation=(90, False)))
    after = map_to_contents(tmp_path / "a.mp4", lambda pixels: np.ascontiguousarray(pixels[:31, :25]))
    assert after.pixels[0].shape == (25, 31, 3)


def test_tags_chapters_aspect_and_other_streams_are_kept(tmp_path):
    tags = {"title": "A walk", "comment": "with a dog", "com.apple.quicktime.make": "Apple"}
    source = make_video(tmp_path / "a.mov", Recipe(sound="aac", aspect=Fraction(4, 3), tags=tags))
    result = map_video(source, tmp_path / "b.mov", same, OPTIONS)
    after = read_video(tmp_path / "b.mov")
    assert result is not None
    assert (result.frames, result.seconds) == (FRAMES, pytest.approx(0.48))
    assert after.tags["title"] == "A walk"
    assert after.tags["comment"] == f"with a dog\n{OPTIONS.remark}"
    assert after.aspect == Fraction(4, 3)


def test_subtitles_chapters_and_attached_files_are_kept(tmp_path):
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    chapter = {"id": 1, "start": 0, "end": 480, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}}
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", 25, width=64, height=48)
        text = output.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        text.metadata["language"] = "ger"
        output.add_attachment("font.ttf", "font/ttf", b"12345")
        output.set_chapters([chapter])
        output.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(video.encode(None))
        line = av.Packet(b"Guten Tag")
        line.pts = line.dts = 10
        line.duration, line.time_base, line.stream = 20, Fraction(1, 1000), text
        output.mux(line)
    map_video(source, target, same, OPTIONS)
    assert read_video(target).packets == read_video(source).packets
    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert [stream.type for stream in after.streams] == ["video", "subtitle", "attachment"]
        assert after.streams[1].language == "ger"
        assert after.chapters() == before.chapters() != []


@pytest.mark.skipif(sys.platform != "linux", reason="only there the encoder asks for it")
@pytest.mark.parametrize("codec", ["libsvtav1", "libx264"])
def test_no_thread_becomes_a_real_time_one(tmp_path, monkeypatch, codec):
    def policies() -> set[int]:
        return {os.sched_getscheduler(int(task.name)) for task in scheduling.TASKS.iterdir()}

    source, seen = make_video(tmp_path / "a.mkv", Recipe(codec)), []
    encode = encoding.VideoTrack.encode

    def encode_and_look(track: encoding.VideoTrack, frame: encoding.DecodedFrame) -> list[encoding.AnyPacket]:
        packets = encode(track, frame)
        seen.append(policies())
        return packets

    monkeypatch.setattr(encoding.VideoTrack, "encode", encode_and_look)
    map_video(source, tmp_path / "b.mkv", same, OPTIONS)
    assert [*seen, policies()] == [{os.SCHED_OTHER}] * (FRAMES + 1)


def test_every_frame_is_reported(tmp_path):
    calls: list[int] = []
    source = make_video(tmp_path / "a.mkv")
    map_video(source, tmp_path / "b.mkv", same, replace(OPTIONS, on_frame=lambda: calls.append(1)))
    assert len(calls) == count_frames(source) == FRAMES


def test_video_memory_does_not_grow_with_length(tmp_path):
    source = make_video(tmp_path / "a.mp4", Recipe(sound="aac", times=range(0, 80 * 3600, 3600)))
    inputs: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def count(pixels: FramePixels) -> FramePixels:
        inputs.append(weakref.ref(pixels))
        alive.append(sum(ref() is not None for ref in inputs))
        return pixels.copy()

    map_video(source, tmp_path / "b.mp4", count, OPTIONS)
    assert len(alive) == 80
    assert max(alive) < 12


def test_unreadable_videos_are_errors_and_leave_no_file(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", Recipe(sound="aac")).read_bytes()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video " * 99)
    (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile whole.mp4\n")  # would lead to another file
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "hurt.mp4").write_bytes(hurt(whole))
    with av.open(str(tmp_path / "deaf.mp4"), "w") as output:
        write_tone(output, output.add_stream("aac", 48000, layout="mono"), Fraction(1))
    files = sorted(tmp_path.iterdir())
    for name in ("empty.mp4", "text.mp4", "list.mkv", "cut.mp4", "hurt.mp4", "deaf.mp4", "missing.mp4"):
        with pytest.raises(PictureError, match=name):
            map_video(tmp_path / name, tmp_path / f"output_{name}", same, OPTIONS)
    assert sorted(tmp_path.iterdir()) == files


def hurt(whole: bytes, length: int = 3000) -> bytes:
    """Return an MP4 with noise where its media are."""
    begin = whole.index(b"mdat") + 900
    return whole[:begin] + np.random.default_rng(0).bytes(length) + whole[begin + length :]


def test_a_frame_that_the_decoder_patches_is_damage(tmp_path):
    whole = make_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "hurt.mp4").write_bytes(hurt(whole, 3))
    assert len(read_video(tmp_path / "hurt.mp4").frames) == FRAMES
    with pytest.raises(PictureError, match=r"hurt.mp4 is damaged: not every frame"):
        map_video(tmp_path / "hurt.mp4", tmp_path / "b.mp4", same, OPTIONS)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.webm", Recipe("libvpx-vp9", "libopus", times=range(0, 100 * 3600, 3600))),
        ("a.avi", Recipe("mpeg4", "pcm_s16le", clock=Fraction(1, 25), times=range(100), last=1, options={})),
    ],
)
def test_a_truncated_video_is_damaged(tmp_path, name: str, recipe: Recipe):
    whole = make_video(tmp_path / name, recipe).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PictureError, match=r"cut_a.* is damaged: of 4.0 seconds it holds"):
        map_video(tmp_path / f"cut_{name}", tmp_path / f"b_{name}", same, OPTIONS)
    assert not (tmp_path / f"b_{name}").exists()


def test_frames_of_too_many_pixels_are_an_error(tmp_path):
    source = make_video(tmp_path / "a.mp4")
    with pytest.raises(PictureError, match=r"a.mp4 has 64 x 48 pixels, more than 3,000"):
        map_video(source, tmp_path / "b.mp4", same, replace(OPTIONS, max_pixels=3000))


def test_sound_that_does_not_fit_the_container_is_an_error(tmp_path):
    source = make_video(tmp_path / "a.mp4", Recipe(sound="aac"))
    with pytest.raises(PictureError, match=r"the sound of .*a.mp4 \(aac\) cannot be put into webm"):
        map_video(source, tmp_path / "b.webm", same, OPTIONS)


def test_sound_of_an_unknown_codec_is_left_out_with_a_note(tmp_path):
    source = make_video(tmp_path / "a.mp4", Recipe(sound="aac"))
    source.write_bytes(source.read_bytes().replace(b"\x40\x15", b"\xfe\x15").replace(b"mp4a", b"what"))
    result = map_video(source, tmp_path / "b.mp4", same, OPTIONS)
    assert result.notes == ("Its audio stream (of an unknown kind) is left out.",)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
@pytest.mark.parametrize("room", [20_000, 1000])  # bytes: enough for the video without its sound, and for neither
def test_a_full_disk_is_an_error_and_keeps_finished_segments(tmp_path, room: int):
    import resource

    source = make_video(tmp_path / "a.mp4", Recipe(sound="pcm_s16le"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DiskError, match="no room"):
            map_video(source, tmp_path / "b.mp4", same, OPTIONS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "b.mp4").exists()
    assert [path.name for path in tmp_path.glob(".b.mp4.*/*.nut")] == ["00000000.nut"] * (room == 20_000)
    map_video(source, tmp_path / "b.mp4", same, OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_file_of_another_kind_is_not_called_damaged(tmp_path):
    Image.fromarray(picture(0)).save(tmp_path / "picture.mp4", "GIF")
    (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    for name in ("picture.mp4", "list.mkv"):
        with pytest.raises(PictureError, match=f"{name} is a file of another kind, which cannot be read as video"):
            count_frames(tmp_path / name)
