"""LPIPS, by torchmetrics, with an AlexNet of random weights: its own need the network."""

from pathlib import Path

import pytest
import torch
import torchvision

from cyclegan.devices import CPU
from cyclegan.evaluation import PictureFolder, evaluate_folders, load_extractor
from cyclegan.evaluation.paired import compare_pairs
from cyclegan.evaluation.perceptual import LPIPS_MIN_SIDE, alexnet_file, load_lpips
from tests.support.extractors import SIDE, SmallExtractor, draw, save_program


@pytest.fixture
def alexnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision find weights of AlexNet in its cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    alexnet_file().parent.mkdir(parents=True)
    alexnet_file().touch()
    torch.manual_seed(0)
    weights = torchvision.models.alexnet().state_dict()
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *_, **__: weights)


@pytest.mark.usefixtures("alexnet")
def test_lpips_is_zero_for_equal_pictures_and_grows_with_noise():
    lpips = load_lpips(CPU)
    assert lpips is not None
    random = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, 80, 96, generator=random) * 255
    noise = torch.randn(picture.shape, generator=random)
    distances = [float(lpips(picture, (picture + noise * amount).clamp(0, 255))) for amount in (0, 10, 50)]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert distances[0] < distances[1] < distances[2]


@pytest.mark.usefixtures("alexnet")
def test_pairs_have_a_mean_and_an_interval(tmp_path: Path):
    draw(tmp_path / "a", 4, seed=1, side=LPIPS_MIN_SIDE)
    draw(tmp_path / "b", 4, seed=2, side=LPIPS_MIN_SIDE)
    scores = compare_pairs(PictureFolder(tmp_path / "a"), PictureFolder(tmp_path / "b"), load_lpips(CPU))
    assert scores.lpips is not None
    assert scores.lpips_interval is not None
    assert 0 < scores.lpips_interval.low < scores.lpips < scores.lpips_interval.high


@pytest.mark.parametrize(("has_weights", "reason"), [(True, "smaller than 64 pixels"), (False, "needs AlexNet's")])
def test_a_note_says_why_lpips_is_missing(tmp_path: Path, monkeypatch, request, has_weights: bool, reason: str):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    if has_weights:
        request.getfixturevalue("alexnet")
    folders = [PictureFolder(draw(tmp_path / name, 4, seed=seed)) for seed, name in enumerate("ab")]
    extractor = load_extractor(save_program(SmallExtractor(), tmp_path / "small.pt2"), side=SIDE, device="cpu")
    evaluation = evaluate_folders(*folders, extractor, paired=True)
    assert evaluation.counterparts is not None
    assert evaluation.counterparts.lpips is None
    assert any("LPIPS was not measured" in note and reason in note for note in evaluation.notes)
