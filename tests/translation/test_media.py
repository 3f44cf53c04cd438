"""Folders come back with their names, sub-folders, formats and sizes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan import Translator
from cyclegan.errors import DataError
from cyclegan.images import Picture
from cyclegan.translation import (
    Scorer,
    Target,
    TranslateJob,
    TranslateOptions,
    count_pictures_and_frames,
    pipeline,
    plan_targets,
    translate_targets,
)
from cyclegan.translation import job as jobs
from cyclegan.translation.job import Item
from cyclegan.translation.pipeline import batched_by_size
from tests.support.models import write_model
from tests.support.videos import make_video, picture, read_video


@pytest.fixture
def translator(tmp_path: Path) -> Translator:
    return Translator(write_model(tmp_path / "model.safetensors"), device="cpu")


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def translated(inputs: list[Path], translator: Translator, **options):
    return translate_targets(plan_targets(inputs, "zebras"), TranslateJob(translator, TranslateOptions(**options)))


def test_outputs_keep_names_folders_formats_and_sizes(folders, translator):
    result = translated([folders[0]], translator)
    output = folders[0].with_name("horses_zebras")
    assert len(result.done) == 5
    assert files_below(output) == files_below(folders[0])
    for name in files_below(output):
        with Image.open(folders[0] / name) as before, Image.open(output / name) as after:
            assert (before.format, before.size) == (after.format, after.size)
            assert not np.array_equal(np.asarray(before), np.asarray(after))


@pytest.mark.parametrize("batch_size", [2, 8])
def test_batches_change_nothing(folders, translator, tmp_path, batch_size: int):
    for name, size in (("one", 1), ("many", batch_size)):
        targets = plan_targets([folders[0]], "zebras", output=tmp_path / name)
        translate_targets(targets, TranslateJob(translator, TranslateOptions(batch_size=size)))
    for name in files_below(tmp_path / "one"):
        with Image.open(tmp_path / "one" / name) as one, Image.open(tmp_path / "many" / name) as many:
            difference = np.abs(np.asarray(one).astype(int) - np.asarray(many))
            assert difference.mean() < 1.5


def test_damaged_files_are_named_and_the_rest_is_done(folders, translator):
    (folders[0] / "text.jpg").write_text("not a picture")
    (folders[0] / "empty.webp").touch()
    whole = (folders[0] / "2.jpg").read_bytes()
    (folders[0] / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    result = translated([folders[0]], translator, batch_size=4)
    named = " ".join(map(str, result.failed))
    assert len(result.done) == 5
    assert all(name in named for name in ("text.jpg", "empty.webp", "cut.jpg"))
    assert len(files_below(folders[0].with_name("horses_zebras"))) == 5


def test_existing_outputs_are_skipped_without_overwrite(folders, translator):
    translated([folders[0]], translator)
    kept = folders[0].with_name("horses_zebras") / "1.png"
    kept.write_bytes(b"mine")
    result = translated([folders[0]], translator)
    assert (len(result.done), len(result.skipped)) == (0, 5)
    assert kept.read_bytes() == b"mine"
    assert len(translated([folders[0]], translator, overwrite=True).done) == 5
    assert kept.read_bytes() != b"mine"


def test_outputs_inside_the_input_are_not_translated_again(folders):
    inside = folders[0] / "out"
    inside.mkdir()
    Image.new("RGB", (8, 8)).save(inside / "1.png")
    assert len(plan_targets([folders[0]], "zebras", output=inside)) == 5


def test_an_output_above_the_input_excludes_nothing(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(plan_targets([Path("horses")], "zebras", output=Path())) == 5
    (tmp_path / "horses" / "out").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "horses" / "out" / "1.png")
    assert len(plan_targets([Path("horses")], "zebras", output=tmp_path / "horses" / "out")) == 5
    with pytest.raises(DataError, match="would be written over a source"):
        plan_targets([Path("horses")], "zebras", output=Path("horses"))


def test_a_linked_folder_is_written_beside_its_link(folders, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "link").symlink_to(folders[0], target_is_directory=True)
    assert plan_targets([tmp_path / "far" / "link"], "z")[0].path.parent == tmp_path / "far" / "link_z"


def test_a_circular_link_is_a_failure_that_names_it(folders, translator):
    (folders[0] / "loop.jpg").symlink_to("loop.jpg")
    result = translated([folders[0]], translator)
    assert len(result.done) == 5
    assert "loop.jpg" in str(result.failed[0])


def test_a_size_beyond_max_pixels_is_an_error(folders, translator):
    result = translated([folders[0]], translator, size=60_000)
    assert len(result.failed) == 5
    assert "would have 60000 x 90000 pixels" in str(result.failed[0])


def test_targets_of_files_and_folders(folders, tmp_path):
    one = folders[0] / "1.png"

    def targets(inputs, **options):
        return sorted(target.path.relative_to(tmp_path).as_posix() for target in plan_targets(inputs, "z", **options))

    assert targets([one]) == ["horses/1_z.png"]
    assert targets([one], output=tmp_path / "x.png") == ["x.png"]
    assert targets([one], output=tmp_path / "out") == ["out/1.png"]
    assert targets([one], image_format="webp") == ["horses/1_z.webp"]
    assert targets([folders[0]], output=tmp_path / "out")[0] == "out/1.png"
    assert targets(list(folders), output=tmp_path / "out")[0] == "out/horses/1.png"
    assert targets(list(folders))[0] == "horses_z/1.png"


@pytest.mark.parametrize(("source", "output"), [("clip.mp4", "x.gif"), ("photo.jpg", "x.mp4"), ("moves.gif", "x.webm")])
def test_a_video_stays_a_video_and_a_picture_a_picture(tmp_path, source, output):
    (tmp_path / source).touch()
    with pytest.raises(DataError, match=f"{source} cannot become .*{output}"):
        plan_targets([tmp_path / source], "z", output=tmp_path / output)


def test_an_internal_error_is_reported_and_stops_no_other_picture(folders, translator, monkeypatch):
    def write(picture, *_, **__):
        raise KeyError(picture.format)

    monkeypatch.setattr("cyclegan.translation.pipeline.write_picture", write)
    result = translated([folders[0]], translator)
    assert len(result.failed) == 5
    assert "1.png could not be translated: internal error, KeyError: 'PNG'" in str(result.failed[0])
    files = [Path(failure.hint.split(" what is in ")[1]) for failure in result.failed]
    assert all("in write" in file.read_text() for file in files)
    for file in files:
        file.unlink()


RED = (100, 0, 0)


def is_red(argument: object) -> bool:
    """Tell whether a function was given the picture that is red, or its file."""
    if isinstance(argument, Path):
        return argument.name == "red.png"
    if isinstance(argument, list):
        return any(map(is_red, argument))
    return isinstance(argument, Picture) and bool((argument.pixels == RED).all())


def fail_on_red(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception) -> None:
    """Make a function raise where it is given the red picture."""
    original = getattr(owner, name)

    def fail_or_run(*arguments, **options):
        if any(map(is_red, arguments)):
            raise error
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, fail_or_run)


@pytest.fixture
def with_red(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name, colour in (("a", "blue"), ("b", "green"), ("red", RED), ("z", "black")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


@pytest.mark.parametrize(
    "failure",
    [
        (RuntimeError("could not create a primitive"), "could not be translated: internal error, RuntimeError: could"),
        (RuntimeError("CUDA out of memory."), "is too large: the memory of cpu"),
        (MemoryError(), "is too large: the memory of cpu"),
        (RecursionError("deep"), "could not be translated: internal error, RecursionError: deep"),
    ],
    ids=["kernel", "device memory", "memory", "other"],
)
@pytest.mark.parametrize("stage", ["network", "network in a batch", "score in a batch"])
def test_an_exception_in_a_network_fails_one_picture(with_red, translator, monkeypatch, stage: str, failure):
    error, said = failure
    scorer = Scorer(translator) if "score" in stage else None
    fail_on_red(monkeypatch, *((scorer, "score") if scorer else (translator, "translate_pictures")), error)
    monkeypatch.setattr(jobs, "report_hint", lambda: "Please report it.")
    options = TranslateOptions(batch_size=4 if "batch" in stage else 1)
    result = translate_targets(plan_targets([with_red], "z"), TranslateJob(translator, options, scorer))
    assert [target.source.name for target in result.done] == ["a.png", "b.png", "z.png"]
    assert [f"red.png {said}" in str(error) for error in result.failed] == [True]


@pytest.mark.parametrize("error", [MemoryError(), KeyError("x"), OSError("odd")], ids=["memory", "key", "system"])
@pytest.mark.parametrize("stage", ["read_picture", "write_picture"])
def test_an_exception_in_a_file_fails_one_picture(with_red, translator, monkeypatch, stage: str, error):
    fail_on_red(monkeypatch, pipeline, stage, error)
    monkeypatch.setattr(jobs, "report_hint", lambda: "Please report it.")
    result = translated([with_red], translator, batch_size=2)
    assert [target.source.name for target in result.done] == ["a.png", "b.png", "z.png"]
    assert ["red.png" in str(error) for error in result.failed] == [True]


def test_a_traceback_that_cannot_be_written_stops_nothing(folders, translator, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(translator, "translate_pictures", lambda *_: 1 / 0)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    result = translated([folders[0]], translator)
    assert len(result.failed) == 5
    assert "could not be written" in result.failed[0].hint


def test_a_folder_may_be_named_by_dots(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(folders[0] / "deeper")
    for name, output in ((".", "horses/deeper_z"), ("..", "horses_z")):
        target = plan_targets([Path(name)], "z")[0].path
        assert target.resolve().is_relative_to(tmp_path / output)


def test_a_picture_with_a_wrong_suffix_keeps_its_format(folders, translator):
    (folders[0] / "2.jpg").write_bytes((folders[0] / "1.png").read_bytes())
    translated([folders[0]], translator)
    with Image.open(folders[0].with_name("horses_zebras") / "2.jpg") as written:
        assert written.format == "PNG"


def test_two_inputs_with_one_output_are_an_error(folders, tmp_path):
    for name in ("same.png", "same.jpg"):
        Image.new("RGB", (8, 8)).save(folders[0] / name)
    with pytest.raises(DataError, match=r"same.jpg and .*same.png would both become"):
        plan_targets([folders[0]], "zebras", image_format="png")
    with pytest.raises(DataError, match="would be written over a source"):
        plan_targets([folders[0] / "1.png"], "zebras", output=folders[0])


def test_a_folder_does_not_become_a_file(folders, tmp_path):
    (tmp_path / "o.png").touch()
    with pytest.raises(DataError, match=r"o.png is a file"):
        plan_targets([folders[0]], "z", output=tmp_path / "o.png")


def test_a_missing_input_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there is no"):
        plan_targets([tmp_path / "missing.png"], "zebras")


def test_size_is_the_short_side_of_the_output(folders, translator):
    translated([folders[0]], translator, size=20)
    with Image.open(folders[0].with_name("horses_zebras") / "1.png") as written:
        assert written.size == (20, 30)


def test_strength_zero_changes_no_pixel(folders, translator):
    translated([folders[0]], translator, strength=0)
    name = "1.png"
    with Image.open(folders[0] / name) as before, Image.open(folders[0].with_name("horses_zebras") / name) as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


def test_an_interruption_leaves_only_whole_pictures(folders, translator):
    targets = plan_targets([folders[0]], "zebras")
    done: list[int] = []
    job = TranslateJob(translator, TranslateOptions(), interrupted=lambda: len(done) >= 1)
    result = translate_targets(targets, job, on_picture=lambda: done.append(1))
    assert 1 <= len(result.done) <= 5
    for target in result.done:
        with Image.open(target.path) as written:
            written.load()


def test_consecutive_pictures_of_one_size_form_a_batch(tmp_path):
    items = [
        Item(Target(tmp_path, tmp_path, tmp_path), Picture(np.zeros((side, 4, 3), np.uint8)))
        for side in (4, 4, 4, 5, 4)
    ]
    assert [len(batch) for batch in batched_by_size(items, 2)] == [2, 1, 1, 1]


def test_videos_in_a_folder_are_translated_too(folders, translator):
    clip = make_video(folders[0] / "deeper" / "6.mp4")
    moving = [Image.fromarray(picture(number)) for number in range(5)]
    moving[0].save(folders[0] / "7.webp", save_all=True, append_images=moving[1:], duration=80, lossless=True)
    targets = plan_targets([folders[0]], "zebras")
    job = TranslateJob(
        translator, TranslateOptions(steady=0.5), Scorer(translator), on_frame=lambda: seen_frames.append(1)
    )
    seen_frames: list[int] = []
    pictures: list[int] = []
    result = translate_targets(targets, job, on_picture=lambda: pictures.append(1))
    assert not result.failed
    output = folders[0].with_name("horses_zebras")
    assert files_below(output) == files_below(folders[0])
    before, after = read_video(clip), read_video(output / "deeper" / "6.mp4")
    assert after.times == before.times
    assert np.abs(after.pixels[3].astype(int) - before.pixels[3]).mean() > 5
    with Image.open(output / "7.webp") as written:
        assert written.n_frames == 5
    assert (len(seen_frames), len(pictures), count_pictures_and_frames(targets)) == (
        len(before.frames),
        6,
        len(before.frames) + 6,
    )
    flickers = {target.source.name: score.flicker for target, score in result.scores.items()}
    assert flickers["1.png"] is None
    assert flickers["6.mp4"] > 0
    assert any("6.mp4: flickers" in note for note in result.notes)


def test_a_format_turns_an_animation_into_a_picture_with_a_note(folders, translator):
    moving = [Image.fromarray(picture(number)) for number in range(3)]
    moving[0].save(folders[0] / "7.gif", save_all=True, append_images=moving[1:])
    make_video(folders[0] / "8.mkv")
    targets = plan_targets([folders[0]], "zebras", image_format="png")
    assert {target.path.suffix for target in targets} == {".png", ".mkv"}
    result = translate_targets(
        [target for target in targets if target.source.stem == "7"], TranslateJob(translator, TranslateOptions())
    )
    assert ["7.gif holds 3 pictures; the first is taken" in note for note in result.notes] == [True]


def test_an_interrupted_video_leaves_no_output(folders, translator):
    clip = make_video(folders[0] / "6.mp4")
    asked: list[int] = []
    job = TranslateJob(
        translator, TranslateOptions(), on_frame=lambda: asked.append(1), interrupted=lambda: len(asked) > 2
    )
    result = translate_targets(plan_targets([clip], "zebras"), job)
    assert (result.done, result.failed) == ([], [])
    assert not list(folders[0].glob("6_zebras*"))
