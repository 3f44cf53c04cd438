"""The demo's domains are unpaired in training and paired where they are scored."""

from pathlib import Path

import numpy as np

from cyclegan.data.synthetic import SEASONS, draw_domains, draw_pair
from cyclegan.images import read_picture


def test_the_same_seed_draws_the_same_scene():
    for one, other in zip(draw_pair(3, 5, 32), draw_pair(3, 5, 32), strict=True):
        assert one.tobytes() == other.tobytes()


def test_other_seeds_and_numbers_draw_other_scenes():
    summers = {draw_pair(seed, index, 32)[0].tobytes() for seed in range(2) for index in range(3)}
    assert len(summers) == 6


def test_training_scenes_are_unpaired_and_not_held_out(tmp_path: Path):
    draw_domains(tmp_path, side=32, training=4, held_out=3, seed=0)
    summer, winter = ({path.stem for path in (tmp_path / domain).glob("*.png")} for domain in SEASONS)
    held = [{path.stem for path in (tmp_path / "held_out" / domain).glob("*.png")} for domain in SEASONS]
    assert (len(summer), len(winter), len(held[0])) == (4, 4, 3)
    assert held[0] == held[1]
    assert not summer & winter
    assert not held[0] & (summer | winter)


def test_held_out_pictures_are_counterparts(tmp_path: Path):
    draw_domains(tmp_path, side=32, training=0, held_out=2, seed=7)
    for index in range(2):
        for domain, picture in zip(SEASONS, draw_pair(7, index, 32), strict=True):
            written = read_picture(tmp_path / "held_out" / domain / f"{index:04}.png").pixels
            assert np.array_equal(written, np.asarray(picture))


def test_the_domains_differ_clearly():
    pairs = [draw_pair(0, index, 32) for index in range(8)]
    difference = np.mean([np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() for a, b in pairs])
    assert difference > 50  # grey levels


def test_both_seasons_show_the_same_landscape():
    """Where summer has an edge, winter mostly has one too, so that the counterpart follows from the picture."""
    for index in range(4):
        edges = [
            np.abs(np.diff(np.asarray(picture.convert("L"), float), axis=0)).ravel()
            for picture in draw_pair(1, index, 64)
        ]
        assert np.corrcoef(*edges)[0, 1] > 0.3
