"""Pictures are decoded once, kept where they fit, and handed out the same however they are prepared."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan.config import Config, build_config
from cyclegan.data.domains import for_training, load_domain
from cyclegan.data.loader import batches, batches_per_epoch
from cyclegan.data.store import PictureStore
from cyclegan.errors import DataError
from cyclegan.images import read_picture


def config_for(folders: tuple[Path, Path], *layers: dict) -> Config:
    places = {"folder_a": str(folders[0]), "folder_b": str(folders[1]), "size": 32}
    return build_config({"data": places}, *layers)


def both(config: Config, scratch: Path):
    return load_domain(config, "a", scratch=scratch), load_domain(config, "b", scratch=scratch)


def first_batches(config: Config, scratch: Path, first: int = 0, count: int = 12) -> list[torch.Tensor]:
    stream = batches(*both(config, scratch), config, first)
    return [torch.cat(next(stream)[:2]) for _ in range(count)]


def test_the_short_side_is_resized_and_the_aspect_kept(folders, tmp_path):
    shapes = {picture.shape for picture in load_domain(config_for(folders), "a", scratch=tmp_path).pictures}
    assert shapes == {(54, 36, 3)}  # 40 x 60 pixels, 36 = 32 * 286 / 256


def test_the_paper_squashes_to_a_square(folders, tmp_path):
    config = config_for(folders, {"data": {"keep_aspect": False}})
    assert {picture.shape for picture in load_domain(config, "a", scratch=tmp_path).pictures} == {(36, 36, 3)}


@pytest.mark.parametrize("machine", [{"workers": 0}, {"workers": 3}, {"cache": "disk"}, {"cache": "memory"}])
def test_images_do_not_depend_on_workers_or_on_where_pictures_are_kept(folders, tmp_path, machine):
    expected = first_batches(config_for(folders), tmp_path)
    for ours, theirs in zip(first_batches(config_for(folders, {"machine": machine}), tmp_path), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_a_stream_that_starts_later_goes_on_as_the_first_would_have(folders, tmp_path):
    config = config_for(folders, {"training": {"batch_size": 2}})
    whole, rest = first_batches(config, tmp_path), first_batches(config, tmp_path, first=5, count=7)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(rest, whole[5:], strict=True))


def test_crops_and_flips_vary(folders, tmp_path):
    assert len({batch.numpy().tobytes() for batch in first_batches(config_for(folders), tmp_path, count=30)}) == 30


@pytest.mark.parametrize(
    "setting", ["flip_vertical=1.0", "quarter_turns=1.0", "rotate=45", "color_jitter=0.5", "flip=0.0"]
)
def test_every_augmentation_changes_the_images_but_not_their_shape(folders, tmp_path, setting):
    key, value = setting.split("=")
    plain = first_batches(config_for(folders), tmp_path)
    changed = first_batches(config_for(folders, {"data": {key: float(value)}}), tmp_path)
    assert changed[0].shape == plain[0].shape == (2, 3, 32, 32)
    assert any(not torch.equal(one, other) for one, other in zip(plain, changed, strict=True))


def test_what_does_not_fit_in_memory_goes_to_disk_unchanged(tmp_path):
    store = PictureStore(budget=3 * 5 * 7, folder=tmp_path)
    pictures = [np.random.default_rng(n).integers(0, 256, (5, 7 + n, 3), dtype=np.uint8) for n in range(4)]
    for picture in pictures:
        store.add(picture)
    kept = store.pictures()
    assert [isinstance(picture, np.memmap) for picture in kept] == [False, True, True, True]
    assert all(np.array_equal(one, other) for one, other in zip(kept, pictures, strict=True))
    assert list(tmp_path.iterdir()) == []  # the file has no name, so nothing can be left behind


def test_damaged_pictures_are_named_skipped_and_counted(folders, tmp_path):
    (folders[0] / "text.jpg").write_text("not a picture")
    (folders[0] / "empty.png").touch()
    whole = (folders[0] / "1.png").read_bytes()
    (folders[0] / "cut.png").write_bytes(whole[: len(whole) // 2])
    domain = load_domain(config_for(folders), "a", scratch=tmp_path)
    assert len(domain.pictures) == 5
    named = " ".join(map(str, domain.skipped))
    assert all(name in named for name in ("text.jpg is not a picture", "empty.png is empty", "cut.png is damaged"))


def test_fewer_pictures_than_a_batch_needs_is_a_sentence(folders, tmp_path):
    (folders[0] / "empty.png").touch()
    with pytest.raises(DataError, match="holds 5 readable pictures, fewer than a batch of 6; 1 cannot be read"):
        load_domain(config_for(folders, {"training": {"batch_size": 6}}), "a", scratch=tmp_path)


def test_an_epoch_has_as_many_pairs_as_the_larger_folder_has_images(folders, tmp_path):
    (folders[1] / "1.png").unlink()
    assert batches_per_epoch(*both(config_for(folders), tmp_path), batch_size=1) == 5
    assert batches_per_epoch(*both(config_for(folders), tmp_path), batch_size=2) == 3


def test_orientation_is_applied_before_anything_else(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (60, 40)).save(tmp_path / "x.jpg", exif=exif)
    assert for_training(read_picture(tmp_path / "x.jpg"), 20, 3, keep_aspect=True).pixels.shape == (30, 20, 3)
