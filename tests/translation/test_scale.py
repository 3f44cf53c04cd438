"""A scale far from that of training is said before the work."""

from pathlib import Path

import pytest
from PIL import Image

from cyclegan.translation.scale import scale_note
from cyclegan.translation.targets import Target


@pytest.fixture
def targets(tmp_path: Path) -> list[Target]:
    """Three pictures with a short side of 100 pixels, and one that is none."""
    for name in ("1.png", "2.jpg", "3.bmp"):
        Image.new("RGB", (100, 150)).save(tmp_path / name)
    (tmp_path / "4.png").write_text("text")
    return [Target(path, path, tmp_path) for path in sorted(tmp_path.iterdir())]


@pytest.mark.parametrize(
    ("size", "trained", "said"),
    [
        (0, 16, "some 6 times larger than what it has learned. If the results are poor, try --size 16."),
        (0, 1024, "some 10 times smaller"),
        (2048, 256, "short side of 2048 pixels"),
        (0, 128, ""),
        (256, 256, ""),
    ],
)
def test_a_scale_far_from_the_training_gives_a_note(targets, size, trained, said):
    note = scale_note(targets, size, trained)
    assert said in note
    assert bool(note) == bool(said)


def test_no_pictures_give_no_note(tmp_path):
    assert scale_note([], 0, 256) == ""
