"""Numbered frames are steadied as a video's are."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan import Translator
from cyclegan.translation import (
    Target,
    TranslateJob,
    TranslateOptions,
    describe_sequences,
    plan_targets,
    translate_targets,
)
from cyclegan.translation.ray_data import chunks_of
from cyclegan.translation.sequences import numbered_sequences
from tests.support.videos import picture


def named(*names: str) -> list[Target]:
    return [Target(Path(name), Path("out") / name, Path("out")) for name in names]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("f_0003.png", "f_0001.png", "f_0002.png"), [["f_0001.png", "f_0002.png", "f_0003.png"]]),
        (("9.jpg", "10.jpg", "8.jpg"), [["8.jpg", "9.jpg", "10.jpg"]]),
        (("s2_1_left.tif", "s2_2_left.tif", "s2_7_left.tif"), [["s2_1_left.tif", "s2_2_left.tif", "s2_7_left.tif"]]),
        (("a1.png", "a2.png", "b1.png", "b2.png", "a3.jpg"), []),
        (("x/1.png", "x/2.png", "x/3.png", "y/4.png"), [["x/1.png", "x/2.png", "x/3.png"]]),
        (("1.mp4", "2.mp4", "3.mp4"), []),
        (("cat.png", "dog.png", "fox.png"), []),
    ],
)
def test_sequences_are_found_by_their_numbers(names: tuple[str, ...], expected: list[list[str]]):
    found = [[target.source.as_posix() for target in frames] for frames in numbered_sequences(named(*names))]
    assert found == expected


def test_messages_name_smoothed_sequences_and_ignored_pictures():
    notes = describe_sequences(named("x/1.png", "x/2.png", "x/3.png", "x/cat.png", "x/dog.png", "x/a.mp4"))
    assert notes[0] == "steady: 3 numbered frames in x taken as one sequence."
    assert notes[1].startswith("steady: ignored for 2 still pictures without a number")
    assert describe_sequences(named("a.mp4")) == []


def test_animations_are_not_counted_as_still(tmp_path: Path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "stands.gif")
    targets = [Target(path, path, tmp_path) for path in (tmp_path / "moves.gif", tmp_path / "stands.gif")]
    assert [note.split(" without")[0] for note in describe_sequences(targets)] == [
        "steady: ignored for 1 still picture"
    ]
    assert describe_sequences(targets[:1]) == []


def test_a_chunk_holds_a_whole_sequence():
    targets = named(*(f"{number}.png" for number in range(40)), "cat.png")
    assert [len(chunk) for chunk in chunks_of(targets, 0.5)] == [40, 1]
    assert [len(chunk) for chunk in chunks_of(targets, 0.0)] == [16, 16, 9]


def frames_in(folder: Path, *, dtype: type = np.uint8, grey: bool = False, names: str = "frame_{}.png") -> Path:
    folder.mkdir()
    for number in range(8, 13):  # so that the order of numbers is not that of names
        pixels = picture(number, (48, 40))
        if grey:
            pixels = pixels[..., 0].astype(dtype) * (257 if dtype == np.uint16 else 1)
        Image.fromarray(pixels).save(folder / names.format(number))
    return folder


def translated(folder: Path, output: Path, translator: Translator, **options) -> list[np.ndarray]:
    targets = plan_targets([folder], "zebras", output=output)
    result = translate_targets(targets, TranslateJob(translator, TranslateOptions(**options)))
    assert result.failed == []
    names = sorted((target.path for target in targets), key=lambda path: int(path.stem.split("_")[1]))
    return [np.asarray(Image.open(name)).astype(int) for name in names]


@pytest.mark.parametrize(("dtype", "grey"), [(np.uint8, False), (np.uint8, True), (np.uint16, True)])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_frames_are_blended_in_the_order_of_their_numbers(
    tmp_path, translator: Translator, dtype: type, grey: bool, batch_size: int
):
    folder = frames_in(tmp_path / "frames", dtype=dtype, grey=grey)
    plain = translated(folder, tmp_path / "plain", translator)
    steady = translated(folder, tmp_path / "steady", translator, steady=0.8, batch_size=batch_size)
    assert np.abs(plain[0] - steady[0]).mean() <= (2 if batch_size > 1 else 0)  # 8 is the first
    assert all(np.abs(one - other).mean() > 0 for one, other in zip(plain[1:], steady[1:], strict=True))
    assert [frame.shape for frame in plain] == [frame.shape for frame in steady]


@pytest.mark.parametrize(("keep", "of_change"), [("none", False), ("detail=16", True), ("color=16", True)])
def test_frames_that_keep_their_detail_are_smoothed_in_their_change(model: Path, keep: str, of_change: bool):
    job = TranslateJob(Translator(model, device="cpu", keep=keep), TranslateOptions(steady=0.5))
    assert job.new_smoother().of_change is of_change


def test_an_earlier_frame_of_another_size_starts_smoothing_again(tmp_path, model: Path):
    translator = Translator(model, device="cpu", keep="detail=16")
    folder, out = frames_in(tmp_path / "frames"), tmp_path / "out"
    plain = translated(folder, tmp_path / "plain", translator)
    translated(folder, out, translator, steady=0.8)
    Image.fromarray(picture(9, (16, 16))).save(out / "frame_9.png")
    (out / "frame_10.png").unlink()
    assert np.array_equal(translated(folder, out, translator, steady=0.8)[2], plain[2])


def test_pictures_outside_sequences_are_not_smoothed(tmp_path, translator: Translator):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, number in (("cat_1", 1), ("dog_2", 2)):
        Image.fromarray(picture(number)).save(folder / f"{name}.png")
    plain = translated(folder, tmp_path / "plain", translator)
    steady = translated(folder, tmp_path / "steady", translator, steady=0.8)
    assert all(np.array_equal(one, other) for one, other in zip(plain, steady, strict=True))


def test_a_change_of_size_starts_smoothing_again(tmp_path, translator: Translator):
    folder = frames_in(tmp_path / "frames")
    Image.fromarray(picture(10, (32, 56))).save(folder / "frame_10.png")
    plain = translated(folder, tmp_path / "plain", translator)
    steady = translated(folder, tmp_path / "steady", translator, steady=0.8)
    assert [np.array_equal(*pair) for pair in zip(plain, steady, strict=True)] == [True, False, True, True, False]


def test_an_interrupted_sequence_continues_from_the_previous_frame(tmp_path, translator: Translator):
    folder = frames_in(tmp_path / "frames")
    whole = translated(folder, tmp_path / "whole", translator, steady=0.8)
    translated(folder, tmp_path / "part", translator, steady=0.8)
    for number in (11, 12):
        (tmp_path / "part" / f"frame_{number}.png").unlink()
    continued = translated(folder, tmp_path / "part", translator, steady=0.8)
    plain = translated(folder, tmp_path / "plain", translator)
    assert np.abs(continued[3] - whole[3]).max() <= 1  # what was written was rounded
    assert np.abs(plain[3] - whole[3]).mean() > 0.1
