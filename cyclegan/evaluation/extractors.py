"""What looks at the pictures: the Inception network that papers use, or a network of the user's own."""

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
from cyclegan.errors import ModelFileError, printable, require_extra
from cyclegan.evaluation.distances import Features

INCEPTION_SIDE = 299  # pixels
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
CACHED_AS = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")  # one file, two names
EXPECTED = (
    "It must take float32 images, n 3 {side} {side}, of levels 0 to 255, for any n, and return n rows of numbers."
)


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A network that makes features of pictures, and all that must be said for its numbers to be compared."""

    name: str
    sha256: str  # of its file
    published: bool  # the network and the weights that papers use
    side: int  # pixels of what it takes
    device: torch.device
    network: Callable[[Tensor], Tensor] = field(repr=False)
    features: int = 0  # for each picture

    @torch.inference_mode()
    def __call__(self, levels: Tensor) -> Features:
        """Return the features of pictures, n 3 side side, of levels 0 to 255."""
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with exact, memory_errors(self.device, "Choose --device cpu."):
            features: Features = self.network(levels.to(self.device)).flatten(1).double().cpu().numpy()
        return features


def load_extractor(path: Path | None = None, *, side: int = INCEPTION_SIDE, device: str = "auto") -> Extractor:
    """Load Inception's weights, or a TorchScript or torch.export file, which may run code: name only what you trust.

    Without a path, Inception's weights are looked for where torch-fidelity and pytorch-fid keep theirs.
    """
    require_extra("torch_fidelity", "evaluate")
    path = path or cached_inception()
    if path is None:
        raise without_inception()
    digest = sha256_of(path)
    published = digest == INCEPTION_SHA256
    where = choose_device(device)
    try:
        kind = kind_of(path)
        network = LOADERS[kind](path, where)
    except Exception as error:  # torch raises whatever it likes
        raise ModelFileError(
            f"{printable(path)} is no extractor that can be loaded: {first_line(error)}.",
            "Name Inception's weights, or a network saved by torch.jit.save or torch.export.save.",
        ) from error
    inception = kind == "weights"
    extractor = Extractor(
        name="Inception-v3 (TensorFlow, 2015-12-05)" if published else f"{'Inception-v3 of ' * inception}{path.name}",
        sha256=digest,
        published=published,
        side=INCEPTION_SIDE if inception else side,
        device=where,
        network=network,
    )
    return tried(extractor, path)


def tried(extractor: Extractor, path: Path) -> Extractor:
    """Let an extractor look at pictures of nothing, and say if it cannot."""
    try:
        features = extractor(torch.zeros(2, 3, extractor.side, extractor.side))
    except Exception as error:  # it is the user's own code
        raise ModelFileError(
            f"{printable(path)} cannot look at pictures: {first_line(error)}.", EXPECTED.format(side=extractor.side)
        ) from error
    if len(features) != 2:
        raise ModelFileError(
            f"{printable(path)} returns {len(features)} rows for 2 pictures.", EXPECTED.format(side=extractor.side)
        )
    return replace(extractor, features=features.shape[1])


def cached_inception() -> Path | None:
    """Return the published weights in torch's cache, if they are there."""
    return next((place for name in CACHED_AS if (place := inception_cache() / name).is_file()), None)


def without_inception(why: str = "") -> ModelFileError:
    """Return what there is to say without weights: where they were looked for, and how to get them."""
    return ModelFileError(
        f"the Inception network's weights are not on this machine (looked for in {printable(inception_cache())}){why}.",
        f"Download {inception_url()} (91 MiB) to that folder, or name it, or an extractor of your own, with "
        "--extractor.",
    )


def inception_cache() -> Path:
    """Return the folder where torch-fidelity and pytorch-fid keep the published weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def inception_url() -> str:
    """Return where torch-fidelity has the published weights from."""
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
    """Return what a file holds: a TorchScript, a torch.export program, or else weights."""
    if not zipfile.is_zipfile(path):
        return "weights"
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    return "script" if "constants.pkl" in names else "program" if "archive_format" in names else "weights"


def inception(path: Path, device: torch.device) -> nn.Module:
    """Build torch-fidelity's Inception up to its 2,048 pooled features; its weights are read without running code."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it is damaged, or carries code, and nothing in it was run") from error
    harmless = io.BytesIO()  # the library would unpickle the file itself, whatever is in it
    torch.save(weights, harmless)
    harmless.seek(0)
    whole = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], harmless)
    *layers, _classifier = whole.children()  # the library's forward takes only rounded levels
    return nn.Sequential(Centered(), *layers).to(device).eval()


class Centered(nn.Module):
    """Brings levels to what Inception was trained on."""

    def forward(self, levels: Tensor) -> Tensor:
        """Return levels from -1 to 1."""
        return (levels - 128) / 128


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


def first_line(error: Exception) -> str:
    """Return what an error says, in short."""
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0]).rstrip(".")
