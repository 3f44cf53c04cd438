"""A redrawn clip is its source in everything but the pixels."""

import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from cyclegan.errors import DiskError, PictureError
from cyclegan.video.color import to_pixels
from cyclegan.video.decoding import count_frames
from cyclegan.video.frames import Pixels, VideoOptions
from cyclegan.video.videos import map_video
from tests.translation.clips_for_tests import FRAMES, Recipe, Seen, coded, make_clip, picture, seen, write_tone

MANNER = VideoOptions(mark="drawn by a machine", max_pixels=1_000_000)
UNEVEN = (0, 3000, 4500, 12000, 12150, 20000, 23000, 26100, 29000, 40000, 41000, 50000)
RED = (235, 20, 20)

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


def same(pixels: Pixels) -> Pixels:
    return pixels


def redrawn(source: Path, redraw: Callable[[Pixels], Pixels] = same) -> Seen:
    target = source.with_name(f"redrawn{source.suffix}")
    assert map_video(source, target, redraw, MANNER) is not None
    return seen(target)


def difference(one: Seen, other: Seen) -> float:
    """Return the mean difference in grey levels."""
    pairs = zip(one.pixels, other.pixels, strict=True)
    return float(np.mean([np.abs(a.astype(int) - b).mean() for a, b in pairs]))


@pytest.mark.parametrize("name", KINDS)
def test_a_clip_comes_back_with_its_codec_times_duration_and_sound(tmp_path, name: str):
    before = seen(make_clip(tmp_path / name, KINDS[name]))
    after = redrawn(tmp_path / name)
    assert (after.codec, after.frames[0].format.name) == (before.codec, before.frames[0].format.name)
    assert len(after.frames) == FRAMES
    assert after.times == before.times
    assert abs(after.seconds - before.seconds) < 1 / 25
    assert len(before.packets["audio"]) > 4
    assert after.packets == before.packets
    assert difference(before, after) < 2


def test_a_codec_without_an_encoder_becomes_one_that_everybody_plays(tmp_path):
    make_clip(tmp_path / "a.mov", Recipe("mjpeg", "aac", pixel_format="yuvj420p", options={}, range=2))
    assert redrawn(tmp_path / "a.mov").codec == "h264"


@pytest.mark.parametrize("name", ["a.mp4", "b.mov", "c.mkv"])
@pytest.mark.parametrize("beginning", [0, 45000])
def test_uneven_times_are_kept_to_the_tick(tmp_path, name: str, beginning: int):
    recipe = Recipe(sound="aac", times=[beginning + time for time in UNEVEN], last=9000)
    before = seen(make_clip(tmp_path / name, recipe))
    after = redrawn(tmp_path / name)
    assert after.times == before.times
    assert after.packets == before.packets
    assert abs(after.seconds - before.seconds) < 1 / 25


@pytest.mark.parametrize("last", [900, 45000])
def test_the_last_frame_lasts_as_long_as_it_did(tmp_path, last: int):
    recipe = Recipe(times=UNEVEN, last=last, options={"crf": "4", "bf": "0"})
    before = seen(make_clip(tmp_path / "a.mp4", recipe))
    assert before.seconds == pytest.approx((UNEVEN[-1] + last) / 90000, abs=1e-3)
    assert redrawn(tmp_path / "a.mp4").seconds == pytest.approx(before.seconds, abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp4", "b.mov", "c.mkv", "d.webm"])
@pytest.mark.parametrize("turn", [(90, False), (180, False), (270, False), (0, True), (90, True)])
def test_a_turned_clip_is_redrawn_upright_and_stays_turned(tmp_path, name: str, turn: tuple[int, bool]):
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    before = seen(make_clip(tmp_path / name, Recipe(codec, rotation=turn)))
    given: list[Pixels] = []

    def reddened(pixels: Pixels) -> Pixels:
        given.append(pixels)
        pixels = pixels.copy()
        pixels[:4] = RED  # what is seen at the top
        return pixels

    after = redrawn(tmp_path / name, reddened)
    upright = turned(picture(0), *turn)
    assert given[0].shape == upright.shape
    assert np.abs(given[0].astype(int) - upright).mean() < 4
    assert matrix(after) == matrix(before) != b""
    assert after.pixels[0].shape == before.pixels[0].shape
    assert np.abs(turned(after.pixels[0], *turn)[:3].astype(int) - RED).mean() < 12


def turned(stored: Pixels, degrees: int, mirrored: bool) -> Pixels:
    """Show a stored frame as a player does: turned counter-clockwise, then mirrored."""
    rotated = np.rot90(stored, degrees // 90)
    return rotated[:, ::-1] if mirrored else rotated


def matrix(clip: Seen) -> bytes:
    return bytes(clip.frames[0].side_data["DISPLAYMATRIX"])


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv"])
@pytest.mark.parametrize("size", [(64, 48), (16, 720)])
@pytest.mark.parametrize(("matrix", "limits"), [(1, 1), (1, 2), (5, 1), (5, 2), (6, 1), (9, 1), (2, 0)])
def test_colours_and_their_coding_are_kept(tmp_path, name: str, size: tuple[int, int], matrix: int, limits: int):
    recipe = Recipe(matrix=matrix, range=limits, size=size, times=(0, 3600), pixel_format="yuv444p")
    make_clip(tmp_path / name, recipe)
    given: list[Pixels] = []

    def watch(pixels: Pixels) -> Pixels:
        given.append(pixels)
        return pixels

    after = redrawn(tmp_path / name, watch)
    assert np.abs(given[0].astype(int) - picture(0, size)).mean() < 1.5
    assert np.abs(after.pixels[0].astype(int) - given[0]).mean() < 1.5
    assert np.abs(after.pixels[0][2:9, :3].astype(int) - RED).max() < 9
    frame = after.frames[0]
    assert frame.colorspace == matrix
    assert frame.color_range in (limits, 1 if limits == 0 else limits)


def test_colours_do_not_drift_from_one_redrawing_to_the_next():
    recipe = Recipe(matrix=1, range=1)
    first = again = to_pixels(coded(picture(0), recipe, 0, 1))
    for _ in range(5):
        again = to_pixels(coded(again, recipe, 0, 1))
    assert np.abs(again.astype(int) - first).mean() < 1


def test_untagged_colours_are_read_as_players_read_them(tmp_path):
    for rows, matrix in ((48, 5), (720, 1)):
        tagged = make_clip(tmp_path / f"{rows}.mp4", Recipe(size=(64, rows), times=(0,), matrix=matrix))
        untagged = make_clip(tmp_path / f"{rows}.mkv", Recipe(size=(64, rows), times=(0,)))
        assert difference(seen(tagged), seen(untagged)) < 1


def test_untagged_colours_are_tagged_if_another_size_would_be_read_otherwise(tmp_path):
    make_clip(tmp_path / "a.mp4", Recipe(size=(64, 720), times=(0,)))
    assert redrawn(tmp_path / "a.mp4", lambda pixels: pixels[:480].copy()).frames[0].colorspace == 1


@pytest.mark.parametrize("codec", ["libvpx-vp9", "mpeg4"])
@pytest.mark.parametrize("size", [(63, 47), (64, 47), (63, 48)])
def test_odd_sizes_stay_odd(tmp_path, codec: str, size: tuple[int, int]):
    make_clip(tmp_path / "a.mkv", Recipe(codec, size=size, clock=Fraction(1, 1000), times=range(0, 400, 40), last=40))
    assert redrawn(tmp_path / "a.mkv").pixels[-1].shape == (*size[::-1], 3)


def test_frames_may_come_back_in_another_size_and_an_odd_one(tmp_path):
    make_clip(tmp_path / "a.mp4", Recipe(rotation=(90, False)))
    after = redrawn(tmp_path / "a.mp4", lambda pixels: np.ascontiguousarray(pixels[:31, :25]))
    assert after.pixels[0].shape == (25, 31, 3)


def test_tags_chapters_aspect_and_other_streams_are_kept(tmp_path):
    tags = {"title": "A walk", "comment": "with a dog", "com.apple.quicktime.make": "Apple"}
    source = make_clip(tmp_path / "a.mov", Recipe(sound="aac", aspect=Fraction(4, 3), tags=tags))
    facts = map_video(source, tmp_path / "b.mov", same, MANNER)
    after = seen(tmp_path / "b.mov")
    assert facts is not None
    assert (facts.frames, facts.seconds) == (FRAMES, pytest.approx(0.48))
    assert after.tags["title"] == "A walk"
    assert after.tags["comment"] == f"with a dog\n{MANNER.remark}"
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
    map_video(source, target, same, MANNER)
    assert seen(target).packets == seen(source).packets
    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert [stream.type for stream in after.streams] == ["video", "subtitle", "attachment"]
        assert after.streams[1].language == "ger"
        assert after.chapters() == before.chapters() != []


def test_progress_can_be_told(tmp_path):
    told: list[int] = []
    source = make_clip(tmp_path / "a.mkv")
    map_video(source, tmp_path / "b.mkv", same, replace(MANNER, on_frame=lambda: told.append(1)))
    assert len(told) == count_frames(source) == FRAMES


def test_memory_does_not_grow_with_length(tmp_path):
    source = make_clip(tmp_path / "a.mp4", Recipe(sound="aac", times=range(0, 80 * 3600, 3600)))
    given: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def count(pixels: Pixels) -> Pixels:
        given.append(weakref.ref(pixels))
        alive.append(sum(one() is not None for one in given))
        return pixels.copy()

    map_video(source, tmp_path / "b.mp4", count, MANNER)
    assert len(alive) == 80
    assert max(alive) < 12


def test_what_cannot_be_read_is_a_sentence_and_leaves_nothing(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4", Recipe(sound="aac")).read_bytes()
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a clip " * 99)
    (tmp_path / "list.mkv").write_text("ffconcat version 1.0\nfile whole.mp4\n")  # would lead to another file
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "hurt.mp4").write_bytes(hurt(whole))
    with av.open(str(tmp_path / "deaf.mp4"), "w") as output:
        write_tone(output, output.add_stream("aac", 48000, layout="mono"), Fraction(1))
    there = sorted(tmp_path.iterdir())
    for name in ("empty.mp4", "text.mp4", "list.mkv", "cut.mp4", "hurt.mp4", "deaf.mp4", "missing.mp4"):
        with pytest.raises(PictureError, match=name):
            map_video(tmp_path / name, tmp_path / f"redrawn_{name}", same, MANNER)
    assert sorted(tmp_path.iterdir()) == there


def hurt(whole: bytes, length: int = 3000) -> bytes:
    """Return an MP4 with noise where its media are."""
    begin = whole.index(b"mdat") + 900
    return whole[:begin] + np.random.default_rng(0).bytes(length) + whole[begin + length :]


def test_a_frame_that_a_decoder_would_patch_up_is_damage(tmp_path):
    whole = make_clip(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "hurt.mp4").write_bytes(hurt(whole, 3))
    assert len(seen(tmp_path / "hurt.mp4").frames) == FRAMES
    with pytest.raises(PictureError, match=r"hurt.mp4 is damaged: not every frame"):
        map_video(tmp_path / "hurt.mp4", tmp_path / "b.mp4", same, MANNER)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.webm", Recipe("libvpx-vp9", "libopus", times=range(0, 100 * 3600, 3600))),
        ("a.avi", Recipe("mpeg4", "pcm_s16le", clock=Fraction(1, 25), times=range(100), last=1, options={})),
    ],
)
def test_a_clip_that_ends_too_soon_is_damaged(tmp_path, name: str, recipe: Recipe):
    whole = make_clip(tmp_path / name, recipe).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PictureError, match=r"cut_a.* is damaged: of 4.0 seconds it holds"):
        map_video(tmp_path / f"cut_{name}", tmp_path / f"b_{name}", same, MANNER)
    assert not (tmp_path / f"b_{name}").exists()


def test_frames_of_too_many_pixels_are_refused(tmp_path):
    source = make_clip(tmp_path / "a.mp4")
    with pytest.raises(PictureError, match=r"a.mp4 has 64 x 48 pixels, more than 3,000"):
        map_video(source, tmp_path / "b.mp4", same, replace(MANNER, max_pixels=3000))


def test_sound_that_a_container_does_not_take_is_a_sentence(tmp_path):
    source = make_clip(tmp_path / "a.mp4", Recipe(sound="aac"))
    with pytest.raises(PictureError, match=r"the sound of .*a.mp4 \(aac\) cannot be put into webm"):
        map_video(source, tmp_path / "b.webm", same, MANNER)


def test_sound_of_an_unknown_coding_is_left_out_and_that_is_said(tmp_path):
    source = make_clip(tmp_path / "a.mp4", Recipe(sound="aac"))
    source.write_bytes(source.read_bytes().replace(b"\x40\x15", b"\xfe\x15").replace(b"mp4a", b"what"))
    facts = map_video(source, tmp_path / "b.mp4", same, MANNER)
    assert facts.notes == ("Its audio stream (of an unknown kind) is left out.",)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files there")
@pytest.mark.parametrize("room", [20_000, 1000])  # bytes: enough for the video without its sound, and for neither
def test_a_full_disk_is_a_sentence_and_leaves_finished_segments(tmp_path, room: int):
    import resource

    source = make_clip(tmp_path / "a.mp4", Recipe(sound="pcm_s16le"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(DiskError, match="no room"):
            map_video(source, tmp_path / "b.mp4", same, MANNER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "b.mp4").exists()
    assert [path.name for path in tmp_path.glob(".b.mp4.*/*.nut")] == ["00000000.nut"] * (room == 20_000)
    map_video(source, tmp_path / "b.mp4", same, MANNER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
