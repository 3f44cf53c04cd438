"""Pairs are drawn, cropped and flipped together; loose pictures as ever."""

import re
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cyclegan.config import Config, build_config
from cyclegan.data.domains import load_domain
from cyclegan.data.loader import Batch, batches
from cyclegan.data.samples import find_pairs, sampler, unlike_shapes_note
from cyclegan.errors import DataError


def write(folder: Path, *names: str, size: tuple[int, int] = (60, 40), inverted: bool = False) -> Path:
    """Write pictures that follow from their names, or what is left to white of them."""
    for name in names:
        random = np.random.default_rng(len(name) * 1000 + ord(Path(name).stem[-1]))
        pixels = np.array(Image.fromarray(random.integers(0, 256, (4, 6, 3), np.uint8)).resize(size))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - pixels if inverted else pixels).save(folder / name)
    return folder


def config_of(a: Path, b: Path, **data) -> Config:
    folders = {"folder_a": str(a), "folder_b": str(b), "size": 32, "load_size": 40, "paired": True}
    return build_config({"data": folders | data, "machine": {"workers": 0}})


def domains(config: Config):
    return [load_domain(config, side, scratch=Path(config.data.folder_a)) for side in "ab"]


def first_batches(config: Config, count: int) -> list[Batch]:
    return list(islice(batches(*domains(config), config, 0), count))


def names_drawn(config: Config, count: int) -> list[tuple[str, str, bool]]:
    """Return the stems of the pictures of the first samples, and whether they are pairs."""
    a, b = domains(config)
    sample_of = sampler(a, b, config)
    samples = map(sample_of, range(count))
    return [(a.files[sample.a].stem, b.files[sample.b].stem, sample.is_pair) for sample in samples]


@pytest.mark.parametrize("transform", [{}, {"rotate": 30.0}, {"quarter_turns": 1.0, "flip_vertical": 0.5}])
def test_a_pair_is_cropped_and_flipped_alike(tmp_path, transform):
    names = ("1.png", "2.png", "in/3.png")
    a, b = write(tmp_path / "a", *names), write(tmp_path / "b", *names, inverted=True)
    drawn = first_batches(config_of(a, b, **transform), 12)
    for batch in drawn:
        assert batch.is_pair.all()
        assert (batch.a.int() + batch.b.int() - 255).abs().float().mean() < 1.5  # of an inverted picture
    assert len({batch.a.numpy().tobytes() for batch in drawn}) == 12


def test_a_pair_of_two_sizes_is_aligned(tmp_path):
    a, b = write(tmp_path / "a", "1.png"), write(tmp_path / "b", "1.tif", size=(125, 80), inverted=True)
    config = config_of(a, b)
    [batch] = first_batches(config, 1)
    assert (batch.a.int() + batch.b.int() - 255).abs().float().mean() < 12  # of other pixels, but the same place
    assert unlike_shapes_note(*domains(config), find_pairs(*domains(config))) == []


def test_pairs_of_unlike_shapes_are_named(tmp_path):
    config = config_of(write(tmp_path / "a", "1.png"), write(tmp_path / "b", "1.png", size=(40, 60)))
    [note] = unlike_shapes_note(*domains(config), find_pairs(*domains(config)))
    assert "1 pairs differ in shape" in note
    assert "1.png" in note


def test_pairs_and_loose_pictures_mix_and_each_round_has_all(tmp_path):
    a = write(tmp_path / "a", "1.png", "2.png", "7.png", "8.png", "9.png")
    b = write(tmp_path / "b", "1.jpg", "2.png", "5.png")
    for start in (0, 5):
        drawn = names_drawn(config_of(a, b), start + 5)[start:]
        assert Counter(name for name, *_ in drawn) == Counter("12789")
        assert {(one, other) for one, other, is_pair in drawn if is_pair} == {("1", "1"), ("2", "2")}
        assert {other for _, other, is_pair in drawn if not is_pair} == {"5"}


def test_loose_pictures_of_one_domain_are_drawn_with_any_of_the_other(tmp_path):
    a, b = write(tmp_path / "a", "1.png", "2.png"), write(tmp_path / "b", "1.png", "2.png", "3.png", "4.png")
    drawn = names_drawn(config_of(a, b), 40)
    assert {(one, other) for one, other, is_pair in drawn if not is_pair} == {
        (one, other) for one in "12" for other in "34"
    }


def test_a_stream_of_pairs_continues_exactly(tmp_path):
    config = config_of(write(tmp_path / "a", "1.png", "2.png", "3.png"), write(tmp_path / "b", "1.png", "2.png"))
    whole, rest = first_batches(config, 9), islice(batches(*domains(config), config, 4), 5)
    for ours, theirs in zip(rest, whole[4:], strict=True):
        assert all(map(torch.equal, ours, theirs))


def test_both_pictures_of_a_pair_are_held_out(tmp_path):
    names = [f"{number}.png" for number in range(20)]
    a, b = write(tmp_path / "a", *names), write(tmp_path / "b", *(name.replace("png", "jpg") for name in names))
    one, other = domains(config_of(a, b, validate=0.3))
    assert [path.stem for path in one.held_out_files] == [path.stem for path in other.held_out_files]
    assert 2 <= len(one.held_out_files) < 20


def test_aligned_pictures_hold_a_pair_each(tmp_path):
    folder, right = write(tmp_path / "ab", "1.png", "2.png"), write(tmp_path / "right", "1.png", "2.png", inverted=True)
    for path in folder.iterdir():
        halves = [np.array(Image.open(part)) for part in (path, right / path.name)]
        Image.fromarray(np.concatenate(halves, axis=1)).save(path)
    config = build_config({"data": {"folder_a": str(folder), "aligned": True, "size": 32, "load_size": 40}})
    assert config.data.paired
    for batch in first_batches(config, 6):
        assert batch.is_pair.all()
        assert (batch.a.int() + batch.b.int() - 255).abs().float().mean() < 1.5


def test_no_pair_at_all_names_both_folders(tmp_path):
    config = config_of(write(tmp_path / "a", "1.png"), write(tmp_path / "b", "2.png"))
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))}/a has a partner .* {re.escape(str(tmp_path))}/b"):
        find_pairs(*domains(config))
