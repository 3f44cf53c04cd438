"""Feature extractors: the Inception network that papers use, or a network of the user."""

import hashlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from cyclegan.devices import choose_device, memory_errors
from cyclegan.errors import ModelFileError, require_extra
from cyclegan.evaluation.distances import Features
from cyclegan.text import first_line, printable

INCEPTION_SIDE = 299  # pixels
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
WEIGHT_FILE_NAMES = (
    "weights-inception-2015-12-05-6726825d.pth",
    "pt_inception-2015-12-05-6726825d.pth",
)  # of torch-fidelity and of pytorch-fid, one file
CONTRACT = (
    "It must take float32 images, n 3 {side} {side}, of values 0 to 255, for any n, and return n rows of numbers."
)


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A network that returns features of pictures, and the facts that make its numbers comparable."""

    name: str
    sha256: str  # of its file
    published: bool  # whether papers use this network with these weights
    side: int  # pixels of its input
    device: torch.device
    network: Callable[[Tensor], Tensor] = field(repr=False)
    features: int = 0  # for each picture

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Features:
        """Return the features of pictures, n 3 side side, of values 0 to 255."""
        no_tf32 = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with no_tf32, memory_errors(self.device, "Choose --device cpu."):
            features: Features = self.network(pixels.to(self.device)).flatten(1).double().cpu().numpy()
        return features


def load_extractor(path: Path | None = None, *, side: int = INCEPTION_SIDE, device: str = "auto") -> Extractor:
    """Load Inception's weights, or a TorchScript or torch.export file, which may run code: load only what you trust.

    Without a path, Inception's weights are loaded from the cache of torch-fidelity and pytorch-fid.
    """
    require_extra("torch_fidelity", "evaluate")
    path = path or cached_inception()
    if path is None:
        raise missing_inception()
    digest = sha256_of(path)
    published = digest == INCEPTION_SHA256
    torch_device = choose_device(device)
    try:
        kind = kind_of(path)
        network = LOADERS[kind](path, torch_device)
    except Exception as error:  # torch raises whatever it likes
        raise ModelFileError(
            f"{printable(path)} is no extractor that can be loaded: {first_line(error).rstrip('.')}.",
            "Name Inception's weights, or a network saved by torch.jit.save or torch.export.save.",
        ) from error
    inception = kind == "weights"
    extractor = Extractor(
        name="Inception-v3 (TensorFlow, 2015-12-05)" if published else f"{'Inception-v3 of ' * inception}{path.name}",
        sha256=digest,
        published=published,
        side=INCEPTION_SIDE if inception else side,
        device=torch_device,
        network=network,
    )
    return checked_extractor(extractor, path)


def checked_extractor(extractor: Extractor, path: Path) -> Extractor:
    """Return an extractor with its number of features, found by a call with two black pictures."""
    try:
        features = extractor(torch.zeros(2, 3, extractor.side, extractor.side))
    except Exception as error:  # the user's own code
        raise ModelFileError(
            f"{printable(path)} fails on pictures: {first_line(error).rstrip('.')}.",
            CONTRACT.format(side=extractor.side),
        ) from error
    if len(features) != 2:
        raise ModelFileError(
            f"{printable(path)} returns {len(features)} rows for 2 pictures.", CONTRACT.format(side=extractor.side)
        )
    return replace(extractor, features=features.shape[1])


def cached_inception() -> Path | None:
    """Return the published weights in torch's cache; None if they are missing."""
    return next((path for name in WEIGHT_FILE_NAMES if (path := torch_cache() / name).is_file()), None)


def missing_inception(why: str = "") -> ModelFileError:
    """Return the error of missing weights: where they were searched, how to get them."""
    return ModelFileError(
        f"the Inception network's weights are not on this machine (searched in {printable(torch_cache())}){why}.",
        f"Download {inception_url()} (91 MiB) to that folder, or name a file with --extractor.",
    )


def torch_cache() -> Path:
    """Return the folder where torch-fidelity, pytorch-fid and torchvision keep published weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def inception_url() -> str:
    """Return the URL from which torch-fidelity gets the published weights."""
    url: str = require_extra("torch_fidelity.feature_extractor_inceptionv3", "evaluate").URL_INCEPTION_V3
    return url


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"{printable(path)} cannot be read: {error.strerror}.", "Check the path.") from error


def kind_of(path: Path) -> str:
    """Return the kind of a file: `script`, `program` or else `weights`."""
    if not zipfile.is_zipfile(path):
        return "weights"
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    return "script" if "constants.pkl" in names else "program" if "archive_format" in names else "weights"


def inception(path: Path, device: torch.device) -> nn.Module:
    """Build torch-fidelity's Inception up to its 2,048 pooled features; loading its weights runs no code."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it is damaged, or contains code, which was not run") from error
    checked = io.BytesIO()  # the library would unpickle the file itself, and run its code
    torch.save(weights, checked)
    checked.seek(0)
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], checked)
    *layers, _classifier = network.children()  # the library's forward takes only whole numbers
    return nn.Sequential(Normalize(), *layers).to(device).eval()


class Normalize(nn.Module):
    """Scales pixels of 0 to 255 to [-1, 1)."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Return scaled pixels."""
        return (pixels - 128) / 128


def script(path: Path, device: torch.device) -> nn.Module:
    """Load a TorchScript."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.load.* is deprecated", category=FutureWarning)
        network: nn.Module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    return network.eval()


def program(path: Path, device: torch.device) -> nn.Module:
    """Load a torch.export program."""
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(torch.export.load(path), device).module()


LOADERS: dict[str, Callable[[Path, torch.device], nn.Module]] = {
    "weights": inception,
    "script": script,
    "program": program,
}
