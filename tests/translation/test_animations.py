"""A redrawn GIF, WebP or PNG moves, repeats and shows through as its source does."""

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from PIL.PngImagePlugin import PngInfo

from cyclegan.errors import PictureError
from cyclegan.images.xmp import marked
from cyclegan.video.animations import is_animation, map_animation
from cyclegan.video.frames import Pixels, VideoOptions
from tests.translation.clips_for_tests import picture

MARKED = marked(b"", "drawn by a machine", composite=False)
MANNER = VideoOptions(mark="drawn by a machine", max_pixels=1_000_000)
NAMES = ("a.gif", "a.webp", "a.png")
DURATIONS = [100, 50, 250, 40, 1000, 70]


def same(pixels: Pixels) -> Pixels:
    return pixels


def make(path: Path, *, transparent: bool = False, **options: Any) -> Path:
    frames = [Image.fromarray(picture(number * 5)) for number in range(len(DURATIONS))]
    if transparent:
        for number, frame in enumerate(frames):
            frame.putalpha(Image.fromarray(hole(number)))
    settings = {"loop": 3, "duration": DURATIONS, "disposal": 2} | options
    if path.suffix == ".png":
        texts = PngInfo()
        texts.add_text("Comment", "by hand")
        settings |= {"pnginfo": texts, "disposal": 0, "blend": 0}
    if path.suffix == ".webp":
        settings |= {"lossless": True, "exact": True}
    if path.suffix == ".gif":
        settings |= {"comment": b"by hand"}
    frames[0].save(path, save_all=True, append_images=frames[1:], **settings)
    return path


def hole(number: int) -> np.ndarray:
    """Return an alpha channel with a hole that wanders."""
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[10:30, number * 5 : number * 5 + 20] = 0
    return alpha


def frames_of(path: Path) -> list[tuple[np.ndarray, float]]:
    with Image.open(path) as image:
        return [(np.array(frame.convert("RGBA")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("loop", [0, 3])
def test_frames_durations_and_loops_are_kept(tmp_path, name: str, loop: int):
    source, target = make(tmp_path / name, loop=loop), tmp_path / f"b{name}"
    assert is_animation(source)
    facts = map_animation(source, target, lambda pixels: 255 - pixels, MANNER)
    assert facts is not None
    assert (facts.frames, facts.seconds) == (len(frames_of(source)), pytest.approx(sum(DURATIONS) / 1000))
    before, after = frames_of(source), frames_of(target)
    assert [time for _, time in after] == [time for _, time in before] == DURATIONS
    for (old, _), (new, _) in zip(before, after, strict=True):
        assert np.abs(255 - old[..., :3].astype(int) - new[..., :3]).mean() < 5
    with Image.open(source) as one, Image.open(target) as other:
        assert one.info["loop"] == other.info["loop"] == loop
        assert one.format == other.format


@pytest.mark.parametrize("name", NAMES)
def test_what_is_transparent_stays_so_and_the_rest_is_as_redrawn(tmp_path, name: str):
    source, target = make(tmp_path / name, transparent=True), tmp_path / f"b{name}"
    map_animation(source, target, lambda pixels: np.full_like(pixels, (10, 200, 30)), MANNER)
    for number, (pixels, _) in enumerate(frames_of(target)):
        assert np.array_equal(pixels[..., 3], hole(number))
        assert np.abs(pixels[hole(number) == 255][:, :3].astype(int) - (10, 200, 30)).max() < 12


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_frames_of_a_gif_are_redrawn_as_they_are_seen(tmp_path, disposal: int):
    source = make(tmp_path / "a.gif", disposal=disposal, transparent=True)
    given: list[Pixels] = []

    def watch(pixels: Pixels) -> Pixels:
        given.append(pixels)
        return pixels

    map_animation(source, tmp_path / "b.gif", watch, MANNER)
    for (old, _), pixels, (new, _) in zip(frames_of(source), given, frames_of(tmp_path / "b.gif"), strict=True):
        assert np.array_equal(old[..., :3], pixels)
        assert np.array_equal(old[..., 3], new[..., 3])


def test_a_gif_shown_once_is_shown_once(tmp_path):
    map_animation(make(tmp_path / "a.gif", loop=None), tmp_path / "b.gif", same, MANNER)
    with Image.open(tmp_path / "b.gif") as image:
        assert "loop" not in image.info


def test_the_mark_profile_and_comment_are_there(tmp_path):
    for name in NAMES:
        map_animation(make(tmp_path / name, icc_profile=b"profile"), tmp_path / f"b{name}", same, MANNER)
    with Image.open(tmp_path / "ba.gif") as gif:
        assert gif.info["comment"] == f"by hand\n{MANNER.remark}".encode()
    with Image.open(tmp_path / "ba.webp") as webp:
        assert (webp.info["xmp"], webp.info["icc_profile"]) == (MARKED, b"profile")
    with Image.open(tmp_path / "ba.png") as png:
        assert png.info["Comment"] == f"by hand\n{MANNER.remark}"
        assert (png.info["xmp"], png.info["icc_profile"]) == (MARKED, b"profile")


@pytest.mark.parametrize("name", NAMES)
def test_frames_may_come_back_in_another_size(tmp_path, name: str):
    source, target = make(tmp_path / name, transparent=True), tmp_path / f"b{name}"
    map_animation(source, target, lambda pixels: np.ascontiguousarray(pixels[::2, ::2][:23, :31]), MANNER)
    assert {pixels.shape for pixels, _ in frames_of(target)} == {(23, 31, 4)}


def test_one_format_becomes_another(tmp_path):
    for name in NAMES:
        for other in NAMES:
            target = tmp_path / f"from_{name[2:]}{Path(other).suffix}"
            map_animation(make(tmp_path / name, transparent=True), target, same, MANNER)
            assert [time for _, time in frames_of(target)] == DURATIONS


def test_stills_and_other_files_are_no_animations(tmp_path):
    for name in NAMES:
        Image.fromarray(picture(0)).save(tmp_path / name)
        assert not is_animation(tmp_path / name)
    (tmp_path / "text.gif").write_text("GIF89a, or so it says")
    assert not is_animation(tmp_path / "text.gif")
    assert not is_animation(tmp_path / "missing.gif")


@pytest.mark.parametrize("name", NAMES)
def test_no_frame_is_kept(tmp_path, name: str):
    alive: list[int] = []
    given: list[weakref.ref[Any]] = []

    def count(pixels: Pixels) -> Pixels:
        redrawn = pixels.copy()
        given.extend([weakref.ref(pixels), weakref.ref(redrawn)])
        alive.append(sum(one() is not None for one in given))
        return redrawn

    map_animation(make(tmp_path / name), tmp_path / f"b{name}", count, MANNER)
    assert len(alive) == len(DURATIONS)
    assert max(alive) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_what_is_damaged_or_too_large_is_a_sentence_and_leaves_nothing(tmp_path, name: str):
    whole = make(tmp_path / name).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / f"empty_{name}").touch()
    (tmp_path / f"text_{name}").write_text("nothing to see")
    there = sorted(tmp_path.iterdir())
    for bad in ("cut", "empty", "text", "missing"):
        with pytest.raises(PictureError, match=f"{bad}_{name}"):
            map_animation(tmp_path / f"{bad}_{name}", tmp_path / f"b{name}", same, MANNER)
    with pytest.raises(PictureError, match="more than 3,000"):
        map_animation(tmp_path / name, tmp_path / f"b{name}", same, replace(MANNER, max_pixels=3000))
    assert sorted(tmp_path.iterdir()) == there


def test_an_interruption_leaves_nothing(tmp_path):
    source = make(tmp_path / "a.gif")
    done: list[int] = []
    manner = replace(MANNER, on_frame=lambda: done.append(1), interrupted=lambda: len(done) == 3)
    assert not map_animation(source, tmp_path / "b.gif", same, manner).finished
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize(
    ("options", "shape"),
    [({"loop": 70_000}, (48, 64)), ({"duration": [20_000_000] * 6}, (48, 64)), ({}, (1, 16_384))],
)
def test_what_a_format_has_no_room_for_is_a_sentence_and_leaves_nothing(tmp_path: Path, options, shape):
    source = make(tmp_path / "a.png", **options)
    with pytest.raises(PictureError, match=r"b.webp cannot be written: .*\."):
        map_animation(source, tmp_path / "b.webp", lambda _: np.zeros((*shape, 3), np.uint8), MANNER)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
