"""The reference's `.pth` files in, a model out; nothing in them is ever executed."""

import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from cyclegan.atomic import is_file_name
from cyclegan.checkpoints.model_file import Direction, ModelInfo
from cyclegan.config import DiscriminatorConfig, GeneratorConfig
from cyclegan.errors import ModelFileError, printable
from cyclegan.models import NetworkConfig, meta_module
from cyclegan.reference.pth import OURS, Weights, bare, channels_of, from_reference, recognised

NAMED = re.compile(r"(?:.*_)?(?:net_?)?([GD]_[AB])")  # how the names of the reference's files end
IN_FOLDER = re.compile(r"(latest|\d+)_net_(G|G_A|G_B|D_A|D_B)\.pth")  # pix2pix's D judges pairs, which ours cannot
RENAME = "Let its name end in G_A (A to B), G_B (B to A), D_A (judges B) or D_B (judges A)."
SIDES = {"a2b": "AB", "b2a": "BA", "disc_a": "A", "disc_b": "B"}  # the domains whose images a network takes and gives
USUAL_SIZE = 256  # pixels; what the reference crops to unless told otherwise


@dataclass(frozen=True)
class Imported:
    """A network of the reference."""

    path: Path
    spec: NetworkConfig
    channels: tuple[int, ...]  # of what it takes and, if it is a generator, of what it gives
    weights: Weights  # under our names


def import_model(
    inputs: Sequence[Path], *, domain_a: str = "A", domain_b: str = "B", direction: Direction | None = None
) -> tuple[ModelInfo, Weights]:
    """Read `.pth` files, or a folder of the reference's checkpoints, as one model of one or two directions.

    The names of the files say which network each is; `direction` says it of a generator whose name does not.
    """
    for name in (domain_a, domain_b):
        if not is_file_name(name):
            raise ModelFileError(f"{printable(name)!r} cannot be a domain's name.", "Choose one without slashes.")
    networks: dict[str, Imported] = {}
    for path in (path for given in inputs for path in files_of(given)):
        network = read_network(path)
        role = role_of(network, direction)
        if role in networks:
            raise ModelFileError(
                f"{printable(networks[role].path)} and {printable(path)} would both become {role}.", RENAME
            )
        networks[role] = network
    info = describe(networks, domain_a, domain_b)
    return info, {f"{role}.{name}": own for role, network in networks.items() for name, own in network.weights.items()}


def files_of(given: Path) -> list[Path]:
    """Return a file itself; of a folder, the files of the latest epoch in it."""
    if not given.is_dir():
        return [given]
    epochs = {path: match[1] for path in sorted(given.iterdir()) if (match := IN_FOLDER.fullmatch(path.name))}
    if not epochs:
        raise ModelFileError(
            f"there is no {printable(given / 'latest_net_G_A.pth')}, nor any file of such a name.",
            "Name the .pth files themselves.",
        )
    latest = max(epochs.values(), key=lambda epoch: float("inf") if epoch == "latest" else int(epoch))
    return [path for path, epoch in epochs.items() if epoch == latest]


def read_network(path: Path) -> Imported:
    """Read one network from a `.pth` file, whatever wrapped it and whichever version wrote it."""
    try:
        weights = bare(unpickled(path))
        spec = recognised(weights)
        channels = channels_of(spec, weights)
        return Imported(path, spec, channels, from_reference(meta_module(spec, channels), weights))
    except ModelFileError as error:
        raise ModelFileError(f"{printable(path)} was refused: {error}", error.hint) from error


def unpickled(path: Path) -> Any:
    """Return what a `.pth` file holds, if it is nothing but tensors and plain containers."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise ModelFileError(f"it cannot be read: {error.strerror}.", "Check the path.") from error
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        found = f"it carries code, {code[1]}," if code else "it is damaged, or carries code,"
        raise ModelFileError(
            f"{found} and nothing in it was run.",
            "Where you trust it, load it with torch and save the network's state_dict() alone.",
        ) from error
    except Exception as error:  # torch raises whatever it likes
        raise ModelFileError("it is damaged, or no .pth file of weights.", "Use another copy of the file.") from error


def role_of(network: Imported, direction: Direction | None) -> str:
    """Return which of our networks this is: what its name says, or the direction asked for."""
    named = NAMED.fullmatch(network.path.stem)
    is_generator = isinstance(network.spec, GeneratorConfig)
    name, kind = printable(network.path), "generator" if is_generator else "discriminator"
    if named is None:
        if is_generator:
            return direction or "a2b"
        raise ModelFileError(f"{name} holds a discriminator, and its name does not say of what.", RENAME)
    if named[1].startswith("G") != is_generator:
        raise ModelFileError(f"{name} holds a {kind}, and its name says otherwise.", RENAME)
    role = OURS[named[1]]
    if is_generator and direction not in (None, role):
        raise ModelFileError(f"{name} is {role} by its name.", f"Leave out --direction {direction}, or rename it.")
    return role


def describe(networks: Mapping[str, Imported], domain_a: str, domain_b: str) -> ModelInfo:
    """Say what a model of these networks is; both generators, and both discriminators, must be built alike."""
    generators = {network.spec for network in networks.values() if isinstance(network.spec, GeneratorConfig)}
    judges = {network.spec for network in networks.values() if isinstance(network.spec, DiscriminatorConfig)}
    if not generators:
        raise ModelFileError("there is no generator among these files.", "Name one that ends in G_A, G_B or G.")
    for kind, specs in (("generators", generators), ("discriminators", judges)):
        if len(specs) > 1:
            raise ModelFileError(
                f"the two {kind} are not built alike: {' and '.join(sorted(map(str, specs)))}.", "Import one at a time."
            )
    generator = generators.pop()
    return ModelInfo(
        generator=generator,
        domain_a=domain_a,
        domain_b=domain_b,
        channels_a=agreed_channels(networks, "A"),
        channels_b=agreed_channels(networks, "B"),
        size=2 ** int(generator.depth) if generator.architecture == "unet" else USUAL_SIZE,
        steps=0,  # the files do not say
        averaged=False,
        discriminator=judges.pop() if judges else None,
    )


def agreed_channels(networks: Mapping[str, Imported], domain: str) -> Literal[1, 3]:
    """Return how many channels the images of a domain have; networks that contradict each other are an error."""
    found = {
        channels: printable(network.path)
        for role, network in networks.items()
        for side, channels in zip(SIDES[role], network.channels, strict=True)
        if side == domain
    }
    if len(found) > 1:
        said = " and ".join(f"{channels} in {name}" for channels, name in sorted(found.items()))
        raise ModelFileError(
            f"these are networks of different games: images of {domain} have channels {said}.",
            "Import the files of one training, G_A and D_B named so that they take images of A, the others of B.",
        )
    return 1 if 1 in found else 3
