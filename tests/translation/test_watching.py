"""A watched folder's pictures are translated as they come."""

import os
from pathlib import Path

from PIL import Image

from cyclegan import Translator
from cyclegan.errors import CycleganError
from cyclegan.translation import TranslateJob, TranslateOptions, TranslateResult, plan_targets, translate_targets, watch
from tests.support.models import write_model
from tests.support.videos import picture as scene


def test_watched_pictures_are_translated_when_complete(tmp_path: Path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    translator = Translator(write_model(tmp_path / "m.safetensors"), device="cpu")
    results: list[TranslateResult] = []
    looks: list[float] = []
    troubles: list[CycleganError] = []

    def visitor(pause: float) -> None:
        """Do, between two looks, what somebody else does to the folder."""
        looks.append(pause)
        match len(looks):
            case 1:
                Image.new("RGB", (20, 12)).save(folder / "early.png")
            case 3:
                (folder / "slow.png").write_bytes(b"\x89PNG half of")
            case 4:
                Image.new("RGB", (20, 12)).save(folder / "slow.png")
            case 7:
                (folder / "broken.png").write_text("no picture")
            case 11:
                Image.new("RGB", (20, 12)).save(folder / "early.jpg")
            case 12:
                Image.new("RGB", (20, 12)).save(folder / "later.png")
            case 16:
                (folder / "early.png").unlink()
            case 10:
                Image.new("RGB", (20, 12)).save(folder / "broken.png")

    job = TranslateJob(translator, TranslateOptions(), interrupted=lambda: len(looks) > 18)
    watch(
        lambda: plan_targets([folder], "zebras", image_format="png", watched=True),
        job,
        results.append,
        on_error=troubles.append,
        sleep=visitor,
    )
    assert [[target.source.name for target in result.done] for result in results] == [
        ["early.png"],
        ["slow.png"],
        [],
        ["broken.png"],
        ["later.png"],
        [],
    ]
    assert [[target.source.name for target in result.skipped] for result in results][-1] == ["early.jpg"]
    assert [("early.jpg" in str(error)) for error in troubles] == [True]
    assert ["broken.png" in str(error) for result in results for error in result.failed] == [True]


def test_a_replaced_picture_replaces_its_translation(tmp_path: Path):
    folder, output = tmp_path / "inbox", tmp_path / "out"
    folder.mkdir()
    picture, written = folder / "a.bmp", output / "a.bmp"  # a format in which all pictures of one size are as long
    Image.fromarray(scene(0)).save(picture)
    translator = Translator(write_model(tmp_path / "m.safetensors"), device="cpu")
    translate_targets(plan_targets([folder], "zebras", output=output), TranslateJob(translator, TranslateOptions()))
    contents = [written.read_bytes()]
    looks: list[float] = []
    troubles: list[CycleganError] = []
    before = picture.stat()

    def visitor(pause: float) -> None:
        looks.append(pause)
        match len(looks):
            case 3:
                written.write_bytes(b"changed by hand")
            case 6:
                assert written.read_bytes() == b"changed by hand"  # its source has not changed
                picture.write_bytes(picture.read_bytes()[:-3000] + bytes(3000))
                os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))  # as copies keep it
            case 9:
                contents.append(written.read_bytes())
                Image.fromarray(255 - scene(40)).save(folder / ".a.new", "BMP")
                (folder / ".a.new").replace(picture)
            case 12:
                contents.append(written.read_bytes())

    watch(
        lambda: plan_targets([folder], "zebras", output=output, watched=True),
        TranslateJob(translator, TranslateOptions(), interrupted=lambda: len(looks) > 12),
        lambda _: None,
        on_error=troubles.append,
        sleep=visitor,
    )
    assert len(set(contents)) == 3
    assert all(data.startswith(b"BM") for data in contents)
