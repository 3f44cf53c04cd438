"""Initial weights of a new run from a model, or from the teacher's discriminators."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from cyclegan.checkpoints.find import find_model
from cyclegan.checkpoints.model_file import Tensors, load_model, weights_of
from cyclegan.config import Config, assignments, forbidden_changes
from cyclegan.errors import ConfigError, ModelFileError
from cyclegan.models import Networks
from cyclegan.text import printable
from cyclegan.training.distillation import Teacher


def initial_weights(config: Config, teacher: Teacher | None) -> Tensors:
    """Return the weights of the model `training.init_from`, over those of the teacher's discriminators."""
    discriminators = teacher.discriminators(config) if teacher else {}
    return discriminators | (weights_of_model(config) if config.training.init_from else {})


def weights_of_model(config: Config) -> Tensors:
    """Read the weights of the model `training.init_from`; a model of other networks is an error."""
    path = find_model(config.training.init_from)
    info, weights = load_model(path)
    of_model = replace(
        config,
        data=replace(config.data, channels_a=info.channels_a, channels_b=info.channels_b),
        generator=info.generator,
        discriminator=info.discriminator or config.discriminator,
    )
    resolved = replace(config, generator=config.resolved_generator)
    if differences := forbidden_changes(of_model, resolved):
        raise ConfigError(
            f"{printable(path)} holds networks of other settings: {'; '.join(differences)}.",
            f"Train with those of the model, {assignments(of_model, resolved)}, or without --init-from.",
        )
    return weights


def load_initial_weights(networks: Networks, weights: Mapping[str, Tensor]) -> None:
    """Load initial weights; networks that a model does not hold keep their random ones."""
    for name, network in networks.named_children():
        if own := weights_of(name, weights):
            try:
                network.load_state_dict(own)
            except RuntimeError as error:
                raise ModelFileError(
                    f"the model of training.init_from does not hold the weights of {name} that it describes.",
                    "Use another model.",
                ) from error
