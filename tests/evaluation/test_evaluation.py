"""FID, KID and paired scores agree with closed forms and with the libraries."""

import hashlib
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch_fidelity import calculate_metrics, feature_extractor_inceptionv3, register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from cyclegan.errors import DataError, MissingExtraError, ModelFileError
from cyclegan.evaluation import Extractor, PictureFolder, comparison, evaluate_folders, extractors, load_extractor
from cyclegan.evaluation.comparison import BATCH_SIZE
from cyclegan.evaluation.distances import frechet_distance, kernel_distance, kid_standard_error
from cyclegan.evaluation.paired import compare_pairs, paired_scores
from cyclegan.evaluation.resizing import clean, legacy
from tests.support.extractors import SIDE, SmallExtractor, draw, save_program

SHARED = Path(__file__).parents[3] / "shared"


class SqueezeNet(nn.Module):
    """SqueezeNet's pooled features, scaled to one length."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        from torchvision.models import squeezenet1_0

        network = squeezenet1_0()
        network.load_state_dict(load_file(weights))
        self.body = network.features
        self.register_buffer("mean", torch.tensor([104.0, 117.0, 123.0])[:, None, None])

    def forward(self, levels: Tensor) -> Tensor:
        """Look."""
        features = self.body(levels[:, [2, 1, 0]] - self.mean).mean((2, 3))
        return features / features.norm(dim=1, keepdim=True) * features.shape[1] ** 0.5


@pytest.fixture(scope="module")
def extractor(tmp_path_factory: pytest.TempPathFactory) -> Extractor:
    path = save_program(SmallExtractor(), tmp_path_factory.mktemp("extractor") / "extractor.pt2")
    return load_extractor(path, side=SIDE, device="cpu")


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return draw(tmp_path / "a", 40, seed=1), draw(tmp_path / "b", 50, seed=2, brightness=0.8)


def library_scores(places: tuple[Path, Path], network: nn.Module) -> tuple[float, float]:
    """Return FID and KID as torch-fidelity calculates them, from files to numbers."""

    class Eye(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: object) -> None:
            super().__init__(name, features_list)
            self.network = network.eval()

        @staticmethod
        def get_provided_features_list() -> tuple[str]:
            return ("all",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:  # noqa: ARG004 (the library's)
            return "all"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, levels: Tensor) -> tuple[Tensor]:
            return (self.network(levels.float()).double(),)

    name = f"eye-{id(network)}-{len(FEATURE_EXTRACTORS_REGISTRY)}"
    register_feature_extractor(name, Eye)
    fewest = min(len(list(place.iterdir())) for place in places)
    found = calculate_metrics(
        input1=str(places[0]),
        input2=str(places[1]),
        fid=True,
        kid=True,
        kid_subset_size=fewest,
        rng_seed=0,
        feature_extractor=name,
        batch_size=BATCH_SIZE,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    return found["frechet_inception_distance"], found["kernel_inception_distance_mean"]


def whitened(random: np.random.Generator, count: int, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return features whose sample mean and covariance are these to the last digits."""
    raw = random.normal(size=(count, len(mean)))
    raw = np.linalg.qr(raw - raw.mean(0))[0] * np.sqrt(count - 1)
    return raw @ np.linalg.cholesky(covariance).T + mean


def test_fid_of_gaussian_features_is_the_closed_form():
    random = np.random.default_rng(0)
    mean_a, mean_b = random.normal(size=(2, 5))
    spread_a, spread_b = random.uniform(0.5, 3, size=(2, 5))
    turn = np.linalg.qr(random.normal(size=(5, 5)))[0]  # a common one: then the roots are those of the eigenvalues
    a = whitened(random, 60, mean_a, turn @ np.diag(spread_a**2) @ turn.T)
    b = whitened(random, 90, mean_b, turn @ np.diag(spread_b**2) @ turn.T)
    expected = np.square(mean_a - mean_b).sum() + np.square(spread_a - spread_b).sum()
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-10)


def test_fid_is_right_where_there_are_fewer_pictures_than_features():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(20, 5)), random.normal(size=(30, 5)) * 2 + 1
    turn = np.linalg.qr(random.normal(size=(300, 300)))[0][:5]  # nothing changes where all lie in a corner of a space
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b), abs=1e-10)
    assert frechet_distance(a @ turn, a @ turn) == pytest.approx(0, abs=1e-10)


def true_kid(shift: np.ndarray) -> float:
    """Return the true KID of N(0, I) and N(shift, I), by the moments of x·y over 200,000 draws."""
    random, d = np.random.default_rng(9), len(shift)
    x, y, z = random.normal(size=(3, 200_000, d))

    def kernel(one: np.ndarray, other: np.ndarray) -> float:
        return float(((one * other).sum(1) / d + 1).__pow__(3).mean())

    return kernel(x, y) + kernel(x + shift, y + shift) - 2 * (kernel(x, y + shift) + kernel(z, y + shift)) / 2


def test_kid_s_confidence_interval_covers_the_true_value():
    random, shift = np.random.default_rng(4), np.full(4, 0.6)
    truth = true_kid(shift)
    covered = 0
    for seed in range(100):
        a, b = random.normal(size=(40, 4)), random.normal(size=(50, 4)) + shift
        found = kernel_distance(a, b, seed=seed)
        covered += found.low <= truth <= found.high
    assert covered >= 88  # 95 meant, and two standard deviations of luck


def test_kid_s_standard_error_is_the_jackknife_s():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(9, 3)), random.normal(size=(7, 3)) + 1

    def unbiased(a: np.ndarray, b: np.ndarray) -> float:
        aa, bb, ab = ((x @ y.T / 3 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
        within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (aa, bb)]
        return sum(within) - 2 * ab.mean()

    without_a = np.array([unbiased(np.delete(a, place, 0), b) for place in range(9)])
    without_b = np.array([unbiased(a, np.delete(b, place, 0)) for place in range(7)])
    assert kid_standard_error(a, b) == pytest.approx(np.sqrt(8 * without_a.var() + 6 * without_b.var()))


def test_fid_and_kid_agree_with_torch_fidelity(two, extractor):
    with Image.open(two[0] / "1.png") as picture:  # libraries look at what is stored, whatever is said of it
        turned = picture.getexif()
        turned[ExifTags.Base.Orientation] = 6
        picture.save(two[0] / "1.png", icc_profile=imagecodecs.cms_profile("adobergb"), exif=turned)
    found = evaluate_folders(*map(PictureFolder, two), extractor, resizings=["clean"]).distances["clean"]
    assert (found.fid, found.kid.mean) == pytest.approx(library_scores(two, SmallExtractor()), abs=1e-6)


@pytest.mark.skipif(not (SHARED / "judge").is_dir(), reason="SqueezeNet's weights are not on this machine")
def test_fid_and_kid_of_squeezenet_agree_with_torch_fidelity(tmp_path):
    network = SqueezeNet(SHARED / "judge" / "squeezenet1_0.safetensors")
    squeezenet = load_extractor(save_program(network, tmp_path / "squeezenet.pt2", 64), side=64, device="cpu")
    places = draw(tmp_path / "a", 20, seed=1, side=64), draw(tmp_path / "b", 24, seed=2, side=64)
    found = evaluate_folders(*map(PictureFolder, places), squeezenet, resizings=["legacy"])
    distance = found.distances["legacy"]
    assert (distance.fid, distance.kid.mean) == pytest.approx(library_scores(places, network), rel=1e-6)
    assert "20 pictures are too few for the FID of 512 features" in found.notes[1]


def test_a_note_says_that_pictures_are_drawn(two, extractor, monkeypatch):
    monkeypatch.setattr(comparison, "MAX_PICTURES", 49)
    found = evaluate_folders(*map(PictureFolder, two), extractor)
    assert found.notes[-1] == "precision, recall, density and coverage take 49 pictures at most, drawn at random."


def test_inception_equals_the_library_s_and_runs_no_code(tmp_path, monkeypatch):
    module = feature_extractor_inceptionv3.FeatureExtractorInceptionV3
    monkeypatch.setattr(feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *_, **__: {})
    with monkeypatch.context() as patch:
        patch.setattr(module, "load_state_dict", lambda *_: None)  # the published weights are not to be had here
        torch.manual_seed(0)
        library = module("inception-v3-compat", ["2048"])
    torch.save(library.state_dict(), tmp_path / "weights.pth")
    extractor = load_extractor(tmp_path / "weights.pth", device="cpu")
    assert (extractor.features, extractor.side, extractor.published) == (2048, 299, False)
    levels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    theirs = library(torch.from_numpy(levels.transpose(2, 0, 1).copy())[None])[0]
    assert np.allclose(extractor(legacy(levels, 299)[None]), theirs, atol=1e-6)

    torch.save({"weight": Payload(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(ModelFileError, match=r"evil.pth is no extractor .* contains code, which was not run"):
        load_extractor(tmp_path / "evil.pth", device="cpu")
    assert not (tmp_path / "ran").exists()


class Payload:
    """Runs code where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.place,)


def test_published_weights_are_recognised_by_sha256(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ModelFileError, match="weights are not on this machine") as caught:
        load_extractor(device="cpu")
    assert "Download https://" in caught.value.hint
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    place = save_program(SmallExtractor(), cache / extractors.WEIGHT_FILE_NAMES[1], 299)
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    assert not load_extractor(device="cpu").published
    monkeypatch.setattr(extractors, "INCEPTION_SHA256", digest)
    found = load_extractor(device="cpu")
    assert (found.published, found.sha256) == (True, digest)
    assert found.name == "Inception-v3 (TensorFlow, 2015-12-05)"


def test_a_torchscript_is_an_extractor(tmp_path, extractor):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(SmallExtractor().eval(), torch.zeros(2, 3, SIDE, SIDE)), tmp_path / "eye.pt")
    images = torch.rand(5, 3, SIDE, SIDE) * 255
    assert np.allclose(
        load_extractor(tmp_path / "eye.pt", side=SIDE, device="cpu")(images), extractor(images), atol=1e-6
    )


def test_an_invalid_extractor_is_an_error(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"x.pt is no extractor"):
        load_extractor(tmp_path / "x.pt", device="cpu")
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        load_extractor(tmp_path / "y.pt", device="cpu")
    save_program(SmallExtractor(), tmp_path / "eye.pt2")
    with pytest.raises(ModelFileError, match=r"eye.pt2 fails on pictures") as caught:
        load_extractor(tmp_path / "eye.pt2", side=64, device="cpu")
    assert "n 3 64 64" in caught.value.hint


def test_the_missing_extra_is_an_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity", None)
    with pytest.raises(MissingExtraError) as caught:
        load_extractor(device="cpu")
    assert ".[evaluate]" in caught.value.hint


def test_legacy_resizing_aliases_and_clean_does_not():
    stripes = np.zeros((90, 90, 3), dtype=np.uint8)
    stripes[:, ::3] = 255  # a third is white: grey of 85 from afar
    assert float((clean(stripes, 30) - 85).abs()[:, 2:-2, 2:-2].max()) < 2
    assert float(legacy(stripes, 30).min()) == 255  # every third pixel, and no other, is seen


def test_clean_resizing_is_pillow_s_without_rounding():
    levels = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)
    pillow = np.asarray(Image.fromarray(levels).resize((17, 17), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    assert np.abs(clean(levels, 17).numpy() - pillow).max() <= 1.5  # Pillow rounds between the two passes too
    square = levels[:, :24]
    for resize in (clean, legacy):
        assert np.array_equal(resize(square, 24).numpy(), square.transpose(2, 0, 1))


def test_equal_folders_have_distance_zero(two, extractor):
    folder = PictureFolder(two[0])
    found = evaluate_folders(folder, folder, extractor, source=folder, paired=True)
    for distance in found.distances.values():
        assert distance.fid == pytest.approx(0, abs=1e-9)
        assert {score.value for score in (distance.precision, distance.recall)} == {1}
        assert {score.value for score in (distance.density, distance.coverage)} == {1}
        assert -0.01 < distance.kid.mean <= 0  # below nought, for the pictures of the two are not independent
    assert found.faithfulness.ssim == pytest.approx(1)
    assert (found.counterparts.psnr, found.counterparts.mean_absolute_error, found.counterparts.pictures) == (
        None,
        0,
        40,
    )


def test_paired_scores_equal_their_formulas():
    flat = np.full((16, 16, 3), 100, dtype=np.uint8)
    ssim, psnr, error, _ = paired_scores(flat, flat + np.uint8(10), None)
    luminance = (2 * 100 * 110 + 2.55**2) / (100**2 + 110**2 + 2.55**2)
    assert (ssim, psnr, error) == pytest.approx((luminance, 10 * np.log10(255**2 / 100), 10), rel=1e-3)


def test_pictures_are_paired_by_name(tmp_path):
    draw(tmp_path / "a", 3, seed=1)
    draw(tmp_path / "b", 2, seed=1, side=20)
    Image.open(tmp_path / "b" / "1.png").save(tmp_path / "b" / "1.bmp")
    (tmp_path / "b" / "1.png").unlink()
    ours, theirs = PictureFolder(tmp_path / "a", 16), PictureFolder(tmp_path / "b", 16)
    assert compare_pairs(ours, theirs).pictures == 2
    assert [str(error) for error in ours.failed.values()] == [
        f"{tmp_path / 'a' / '2.png'} has no counterpart in {tmp_path / 'b'}."
    ]
    with pytest.raises(DataError, match="has a counterpart"):
        compare_pairs(PictureFolder(tmp_path / "a"), PictureFolder(tmp_path / "b"))  # of different sizes


def test_damaged_pictures_are_skipped_and_named(two, extractor):
    (two[0] / "broken.png").write_bytes(b"no picture")
    found = evaluate_folders(*map(PictureFolder, two), extractor)
    assert (found.translated, found.real) == (40, 50)
    [error] = found.failed
    assert "broken.png is not a picture" in str(error)


def test_sixteen_bit_grey_becomes_eight_bit_rgb(tmp_path):
    (tmp_path / "x").mkdir()
    deep = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(deep).save(tmp_path / "x" / "deep.png")
    [(_, pixels)] = PictureFolder(tmp_path / "x").pictures()
    assert (pixels.dtype, pixels.shape) == (np.uint8, (16, 16, 3))
    assert np.array_equal(pixels[..., 2], deep // 257)


def test_two_pictures_are_too_few(tmp_path, extractor):
    folder = PictureFolder(draw(tmp_path / "a", 2, seed=1))
    with pytest.raises(DataError, match=r"2 pictures in .* can be read; a comparison needs 3"):
        evaluate_folders(folder, folder, extractor)
