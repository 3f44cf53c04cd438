"""Import of the reference's `.pth` files; no code in them is ever executed."""

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from cyclegan.atomic import is_file_name
from cyclegan.checkpoints.model_file import ModelInfo
from cyclegan.config import DiscriminatorConfig, GeneratorConfig
from cyclegan.directions import DirectionName
from cyclegan.errors import ModelFileError
from cyclegan.models import NetworkConfig, meta_module
from cyclegan.reference.hostile_files import COPY_HINT, check_pth, check_size
from cyclegan.reference.pth import (
    CHANNELS_OF_TWO_IMAGES,
    NETWORK_NAMES,
    Weights,
    extract_weights,
    from_reference,
    infer_channels,
    infer_config,
)
from cyclegan.text import printable

NETWORK_SUFFIX = re.compile(r"(?:.*_)?(?:net_?)?([GD]_[AB])")  # of the name of a file of the reference
CHECKPOINT_FILE = re.compile(r"(latest|\d+)_net_(G|G_A|G_B|D_A|D_B)\.pth")  # pix2pix's D is left out: its G translates
RENAME_HINT = "Let its name end in G_A (A to B), G_B (B to A), D_A (discriminator of B) or D_B (discriminator of A)."
DOMAIN_LETTERS = {
    "a2b": "AB",
    "b2a": "BA",
    "disc_a": "A",
    "disc_b": "B",
}  # of a network's input and, for a generator, output
REFERENCE_SIZE = 256  # pixels; the reference's default crop


@dataclass(frozen=True)
class ImportedNetwork:
    """A network of the reference."""

    path: Path
    config: NetworkConfig
    channels: tuple[int, ...]  # of its input and, for a generator, of its output
    weights: Weights  # with our names


def import_model(
    inputs: Sequence[Path], *, domain_a: str = "A", domain_b: str = "B", direction: DirectionName | None = None
) -> tuple[ModelInfo, Weights]:
    """Read `.pth` files, or a folder of the reference's checkpoints, as one model of one or two directions.

    A file's name says which network it holds; `direction` says it for a generator whose file's name does not.
    """
    for name in (domain_a, domain_b):
        if not is_file_name(name):
            raise ModelFileError(f"{printable(name)!r} cannot be a domain's name.", "Choose one without slashes.")
    networks: dict[str, ImportedNetwork] = {}
    for path in (path for source in inputs for path in checkpoint_files(source)):
        network = read_network(path)
        role = role_of(network, direction)
        if role in networks:
            raise ModelFileError(
                f"{printable(networks[role].path)} and {printable(path)} would both become {role}.", RENAME_HINT
            )
        networks[role] = network
    info = model_info(networks, domain_a, domain_b)
    return info, {
        f"{role}.{name}": weight for role, network in networks.items() for name, weight in network.weights.items()
    }


def checkpoint_files(path: Path) -> list[Path]:
    """Return a file itself; for a folder, the files of its latest epoch."""
    if not path.is_dir():
        return [path]
    epochs = {file: match[1] for file in sorted(path.iterdir()) if (match := CHECKPOINT_FILE.fullmatch(file.name))}
    if not epochs:
        raise ModelFileError(
            f"there is no {printable(path / 'latest_net_G_A.pth')}, nor any file of such a name.",
            "Name the .pth files themselves.",
        )
    latest = max(epochs.values(), key=lambda epoch: float("inf") if epoch == "latest" else int(epoch))
    return [file for file, epoch in epochs.items() if epoch == latest]


def read_network(path: Path) -> ImportedNetwork:
    """Read one network from a `.pth` file of any version, with or without wrappers."""
    try:
        weights = extract_weights(load_pth(path))
        check_size(path, (weight.nbytes for weight in weights.values()))  # they may share memory
        config = infer_config(weights)
        channels = infer_channels(config, weights)
        return ImportedNetwork(path, config, channels, from_reference(meta_module(config, channels), weights))
    except ModelFileError as error:
        raise ModelFileError(f"{printable(path)} was refused: {error}", error.hint) from error


def load_pth(path: Path) -> Any:
    """Return the contents of a `.pth` file; anything but tensors and plain containers is an error."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            check_pth(path)
            return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ModelFileError(f"it cannot be read: {error.strerror}.", "Check the path.") from error
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        problem = f"it carries code, {code[1]}," if code else "it is damaged, or carries code,"
        raise ModelFileError(
            f"{problem} and nothing in it was run.",
            "Where you trust it, load it with torch and save the network's state_dict() alone.",
        ) from error
    except ModelFileError:
        raise
    except Exception as error:  # torch raises many kinds of errors
        raise ModelFileError("it is damaged, or no .pth file of weights.", COPY_HINT) from error


def role_of(network: ImportedNetwork, direction: DirectionName | None) -> str:
    """Return the network's name in a model, from its file's name or the direction."""
    match = NETWORK_SUFFIX.fullmatch(network.path.stem)
    is_generator = isinstance(network.config, GeneratorConfig)
    name, kind = printable(network.path), "generator" if is_generator else "discriminator"
    if match is None:
        if is_generator:
            return direction or "a2b"
        raise ModelFileError(f"{name} holds a discriminator, and its name does not say of what.", RENAME_HINT)
    if match[1].startswith("G") != is_generator:
        raise ModelFileError(f"{name} holds a {kind}, and its name says otherwise.", RENAME_HINT)
    role = NETWORK_NAMES[match[1]]
    if is_generator and direction not in (None, role):
        raise ModelFileError(f"{name} is {role} by its name.", f"Leave out --direction {direction}, or rename it.")
    return role


def model_info(networks: Mapping[str, ImportedNetwork], domain_a: str, domain_b: str) -> ModelInfo:
    """Describe a model of these networks; both generators, and both discriminators, must have equal settings."""
    generators = {network.config for network in networks.values() if isinstance(network.config, GeneratorConfig)}
    discriminators = {
        network.config for network in networks.values() if isinstance(network.config, DiscriminatorConfig)
    }
    if not generators:
        raise ModelFileError("there is no generator among these files.", "Name one that ends in G_A, G_B or G.")
    for kind, configs in (("generators", generators), ("discriminators", discriminators)):
        if len(configs) > 1:
            raise ModelFileError(
                f"the two {kind} are not built alike: {' and '.join(sorted(map(str, configs)))}.",
                "Import one at a time.",
            )
    generator = generators.pop()
    return ModelInfo(
        generator=generator,
        domain_a=domain_a,
        domain_b=domain_b,
        channels_a=channels_of_domain(networks, "A"),
        channels_b=channels_of_domain(networks, "B"),
        size=2 ** int(generator.depth) if generator.architecture == "unet" else REFERENCE_SIZE,
        steps=0,  # the files do not say
        averaged=False,
        discriminator=discriminators.pop() if discriminators else None,
    )


def channels_of_domain(networks: Mapping[str, ImportedNetwork], domain: str) -> Literal[1, 3]:
    """Return the channels of a domain's images; an error if networks contradict each other."""
    files_by_channels = {
        channels: printable(network.path)
        for role, network in networks.items()
        for name, channels in zip(DOMAIN_LETTERS[role], network.channels, strict=True)
        if name == domain and channels not in CHANNELS_OF_TWO_IMAGES  # as conditional discriminators have
    }
    if len(files_by_channels) > 1:
        found = " and ".join(f"{channels} in {file}" for channels, file in sorted(files_by_channels.items()))
        raise ModelFileError(
            f"these networks are of different trainings: images of {domain} have channels {found}.",
            "Import the files of one training: G_A and D_B take images of A, the others of B.",
        )
    return 1 if 1 in files_by_channels else 3
