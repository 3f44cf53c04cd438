"""`--mask` translates only a part of each picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan.images import read_picture
from cyclegan.translation import TranslateJob, TranslateOptions, plan_targets, translate_targets
from cyclegan.translation.masks import TranslationMask
from cyclegan.translation.video_frames import recipe
from tests.cli.shared import assert_a_sentence
from tests.support.models import write_model
from tests.support.pictures import picture, read_values, smooth, translate
from tests.support.videos import make_video, read_video


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """Return a mask, 72 x 48: black on the left, grey in the middle, white on the right."""
    path = tmp_path / "mask.png"
    values = np.repeat(np.array([0, 51, 255], np.uint8), 24)
    Image.fromarray(np.tile(values, (48, 1))).save(path)
    return path


def thirds(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the insides of the thirds of a picture of 36 x 24; the mask, made smaller, is soft between them."""
    return [pixels[:, left + 2 : left + 10].astype(float) for left in (0, 12, 24)]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "I;16"])
def test_black_stays_grey_blends_and_white_is_translated(mode, mask, translator, tmp_path):
    source = tmp_path / "photo.png"
    picture(mode).save(source)
    whole = read_picture(translate(source, translator, overwrite=True))
    masked = read_picture(translate(source, translator, overwrite=True, mask=mask))
    original = read_picture(source)
    assert masked.mode == original.mode
    assert masked.pixels.dtype == original.pixels.dtype
    if original.alpha is not None:
        assert np.array_equal(masked.alpha, original.alpha)
    rows = zip(*(thirds(image.pixels) for image in (original, whole, masked)), strict=True)
    for (before, after, result), weight in zip(rows, (0, 0.2, 1), strict=True):
        assert np.abs(result - (before + weight * (after - before))).max() <= 0.5
        assert np.abs(after - before).mean() > 1


def test_sixteen_bits_outside_the_mask_stay_to_the_bit(mask, translator, tmp_path):
    source = tmp_path / "photo.png"
    picture("I;16").save(source)
    before, after = read_values(source), read_values(translate(source, translator, mask=mask))
    assert np.array_equal(before[:, :10], after[:, :10])
    assert not np.array_equal(before, after)


def test_the_mask_lies_on_the_picture_as_it_is_seen(translator, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen, turn it by 90 degrees
    Image.fromarray(smooth()).save(tmp_path / "photo.png", exif=exif)
    mask = Image.new("L", (24, 36))
    mask.paste(255, (0, 18, 24, 36))  # the lower half
    mask.save(tmp_path / "mask.png")
    before = read_picture(tmp_path / "photo.png").pixels
    after = read_picture(translate(tmp_path / "photo.png", translator, mask=tmp_path / "mask.png")).pixels
    assert np.array_equal(before[:18], after[:18])
    assert np.abs(before[18:].astype(float) - after[18:]).mean() > 1


def test_transparent_parts_of_a_mask_count_as_black(translator, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "photo.png")
    Image.new("RGBA", (36, 24), (255, 255, 255, 0)).save(tmp_path / "mask.png")
    after = translate(tmp_path / "photo.png", translator, mask=tmp_path / "mask.png")
    assert np.array_equal(read_picture(after).pixels, smooth())


def test_a_masked_translation_is_marked_as_composite(mask, translator, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "photo.jpg")
    assert (
        b"compositeWithTrainedAlgorithmicMedia" in translate(tmp_path / "photo.jpg", translator, mask=mask).read_bytes()
    )


def test_a_folder_holds_the_masks_of_the_same_names(folders, translator, tmp_path):
    masks = tmp_path / "masks"
    (masks / "deeper").mkdir(parents=True)
    for name in ("1.png", "2.PNG", "3.jpg", "deeper/4.png"):
        Image.new("L", (5, 5), 0).save(masks / name)
    (masks / "3.jpg").write_text("not a picture")
    targets = plan_targets([folders[0]], "zebras")
    result = translate_targets(targets, TranslateJob(translator, TranslateOptions(mask=masks, batch_size=2)))
    assert [target.path.name for target in result.done] == ["1.png", "2.jpg", "4.PNG"]
    unreadable, missing = sorted(map(str, result.failed))
    assert "3.webp has a mask that cannot be read" in unreadable
    assert "3.jpg is not a picture" in unreadable
    assert "5.jpeg has no mask" in missing
    one = read_picture(folders[0] / "1.png"), read_picture(folders[0].with_name("horses_zebras") / "1.png")
    assert np.array_equal(one[0].pixels, one[1].pixels)


def test_one_mask_holds_for_all_frames_of_a_video(translator, tmp_path):
    make_video(tmp_path / "clip.mp4")
    frames = read_video(tmp_path / "clip.mp4").pixels
    Image.new("L", (8, 8), 0).save(tmp_path / "clip.png")
    [target] = plan_targets([tmp_path / "clip.mp4"], "zebras")
    for steady in (0.0, 0.5):
        options = TranslateOptions(mask=tmp_path, steady=steady, overwrite=True)
        assert not translate_targets([target], TranslateJob(translator, options)).failed
        for before, after in zip(frames, read_video(target.path).pixels, strict=True):
            assert np.abs(before.astype(float) - after).mean() < 8  # what the encoder changes


def test_failures_of_masks_have_their_exit_status(command, folders, tmp_path):
    model = write_model(tmp_path / "m.safetensors")
    assert_a_sentence(command("translate", "horses", "--model", model, "--mask", "nowhere"), "there is no mask nowhere")
    Image.new("L", (5, 5), 255).save(folders[1] / "1.tif")
    masked = command("translate", "horses", "--model", model, "--mask", "zebras", "--output", "out")
    assert masked.returncode == 0, masked.stderr
    (folders[1] / "2.jpg").write_bytes(b"")
    masked = command("translate", "horses", "--model", model, "--mask", "zebras", "--output", "out", "--overwrite")
    assert_a_sentence(masked, "2.jpg is empty", status=1)
    assert masked.stdout.startswith("4 translated")


@pytest.mark.parametrize("output", ["masks", "masks/more", "masks/1.png"])
def test_nothing_is_written_over_masks_or_among_them(command, folders, tmp_path, output):
    model = write_model(tmp_path / "m.safetensors")
    (tmp_path / "masks").mkdir()
    picture("L").save(tmp_path / "masks" / "1.png")
    before = (tmp_path / "masks" / "1.png").read_bytes()
    source = "horses/1.png" if output.endswith(".png") else "horses"
    arguments = (source, "--model", model, "--mask", "masks", "--output", output, "--overwrite")
    assert_a_sentence(command("translate", *arguments), "would be written over the masks")
    assert [path.read_bytes() for path in (tmp_path / "masks").iterdir()] == [before]


def test_masks_of_one_size_and_other_shapes_are_told_apart(translator):
    flat, tall = (TranslationMask(np.zeros(shape, np.uint8)) for shape in ((1, 4, 1), (4, 1, 1)))
    job = TranslateJob(translator, TranslateOptions())
    assert recipe(job, flat) != recipe(job, tall)
