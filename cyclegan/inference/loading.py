"""The generator of a model file: which one is meant, and its weights."""

from pathlib import Path

from torch import Tensor

from cyclegan.checkpoints.find import find_model
from cyclegan.checkpoints.model_file import ModelInfo, generator_weights, load_model_info
from cyclegan.directions import DirectionName
from cyclegan.errors import ModelFileError, UsageError
from cyclegan.models import Generator, load_weights, meta_module
from cyclegan.text import printable


def choose_model(
    model: str | Path | None, to: str | None, direction: str | None
) -> tuple[Path, ModelInfo, DirectionName]:
    """Return the model file that is meant, its description and the direction; see `find_model` and below."""
    path = find_model(model)
    info = load_model_info(path)
    return path, info, choose_direction(info, to, direction)


def choose_direction(info: ModelInfo, to: str | None, direction: str | None) -> DirectionName:
    """Return the direction to the domain called `to`, or else the one of this name, a2b by default."""
    if to is None:
        return "b2a" if direction == "b2a" else "a2b"
    directions: tuple[tuple[DirectionName, str], ...] = (("a2b", info.domain_b), ("b2a", info.domain_a))
    matches = [name for name, domain in directions if domain == to]
    if len(matches) != 1:
        raise ModelFileError(
            f"this model does not say how to reach {printable(to)}: it turns {printable(info.domain_a)} into "
            f"{printable(info.domain_b)} (a2b) and back (b2a).",
            "Name one of the two with --to, or give --direction alone.",
        )
    if direction not in (None, matches[0]):
        raise UsageError(
            f"--to {printable(to)} is {matches[0]} in this model, and --direction is {direction}.",
            "Give one of the two options.",
        )
    return matches[0]


def load_generator(path: Path, info: ModelInfo, weights: dict[str, Tensor], direction: DirectionName) -> Generator:
    """Build one generator, in fp32, from the weights of the model at `path`; they must fit its description."""
    floats = {name: weight.float() for name, weight in generator_weights(path, weights, direction).items()}
    try:
        return load_weights(meta_module(info.generator, info.channels(direction)), floats)
    except ModelFileError as error:
        raise ModelFileError(
            f"{printable(path)} does not hold the weights of the network that it describes.",
            "Use another file, or train again.",
        ) from error
