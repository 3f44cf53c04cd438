"""Rotation and colors of a video are read as players show them, and written as the source has them."""

import numpy as np
import pytest

from cyclegan.video.color import frame_to_pixels
from cyclegan.video.frames import FramePixels
from tests.support.videos import (
    Recipe,
    VideoContents,
    difference,
    make_video,
    map_to_contents,
    picture,
    read_video,
    to_coded,
)

RED = (235, 20, 20)


@pytest.mark.parametrize("name", ["a.mp4", "b.mov", "c.mkv", "d.webm"])
@pytest.mark.parametrize("turn", [(90, False), (180, False), (270, False), (0, True), (90, True)])
def test_rotated_videos_are_mapped_upright_and_stay_rotated(tmp_path, name: str, turn: tuple[int, bool]):
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    before = read_video(make_video(tmp_path / name, Recipe(codec, rotation=turn)))
    inputs: list[FramePixels] = []

    def reddened(pixels: FramePixels) -> FramePixels:
        inputs.append(pixels)
        pixels = pixels.copy()
        pixels[:4] = RED  # the upright frame's top
        return pixels

    after = map_to_contents(tmp_path / name, reddened)
    upright = rotate(picture(0), *turn)
    assert inputs[0].shape == upright.shape
    assert np.abs(inputs[0].astype(int) - upright).mean() < 4
    assert display_matrix(after) == display_matrix(before) != b""
    assert after.pixels[0].shape == before.pixels[0].shape
    assert np.abs(rotate(after.pixels[0], *turn)[:3].astype(int) - RED).mean() < 12


def rotate(stored: FramePixels, degrees: int, mirrored: bool) -> FramePixels:
    """Return a stored frame as players show it: rotated counter-clockwise, then mirrored."""
    rotated = np.rot90(stored, degrees // 90)
    return rotated[:, ::-1] if mirrored else rotated


def display_matrix(contents: VideoContents) -> bytes:
    return bytes(contents.frames[0].side_data["DISPLAYMATRIX"])


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv"])
@pytest.mark.parametrize("size", [(64, 48), (16, 720)])
@pytest.mark.parametrize(("matrix", "limits"), [(1, 1), (1, 2), (5, 1), (5, 2), (6, 1), (9, 1), (2, 0)])
def test_colors_and_their_tags_are_kept(tmp_path, name: str, size: tuple[int, int], matrix: int, limits: int):
    recipe = Recipe(matrix=matrix, range=limits, size=size, times=(0, 3600), pixel_format="yuv444p")
    make_video(tmp_path / name, recipe)
    inputs: list[FramePixels] = []

    def watch(pixels: FramePixels) -> FramePixels:
        inputs.append(pixels)
        return pixels

    after = map_to_contents(tmp_path / name, watch)
    assert np.abs(inputs[0].astype(int) - picture(0, size)).mean() < 1.5
    assert np.abs(after.pixels[0].astype(int) - inputs[0]).mean() < 1.5
    assert np.abs(after.pixels[0][2:9, :3].astype(int) - RED).max() < 9
    frame = after.frames[0]
    assert frame.colorspace == matrix
    assert frame.color_range in (limits, 1 if limits == 0 else limits)


def test_colors_do_not_drift_over_conversions():
    recipe = Recipe(matrix=1, range=1)
    first = again = frame_to_pixels(to_coded(picture(0), recipe, 0, 1))
    for _ in range(5):
        again = frame_to_pixels(to_coded(again, recipe, 0, 1))
    assert np.abs(again.astype(int) - first).mean() < 1


def test_untagged_colors_are_read_as_players_do(tmp_path):
    for rows, matrix in ((48, 5), (720, 1)):
        tagged = make_video(tmp_path / f"{rows}.mp4", Recipe(size=(64, rows), times=(0,), matrix=matrix))
        untagged = make_video(tmp_path / f"{rows}.mkv", Recipe(size=(64, rows), times=(0,)))
        assert difference(read_video(tagged), read_video(untagged)) < 1


def test_a_new_size_tags_colors_if_the_default_matrix_changes(tmp_path):
    make_video(tmp_path / "a.mp4", Recipe(size=(64, 720), times=(0,)))
    assert map_to_contents(tmp_path / "a.mp4", lambda pixels: pixels[:480].copy()).frames[0].colorspace == 1
