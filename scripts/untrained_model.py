"""A model file with the weights that a training would start from, for scripts that need some model."""

from pathlib import Path

from cyclegan.checkpoints.model_file import ModelInfo, save_model
from cyclegan.config import Config
from cyclegan.models import build_networks


def write_untrained_model(path: Path, config: Config) -> Path:
    """Write all four networks of these settings, not trained, as a model file."""
    info = ModelInfo(
        generator=config.resolved_generator,
        discriminator=config.discriminator,
        domain_a="a",
        domain_b="b",
        size=config.data.size,
        steps=0,
        averaged=False,
    )
    save_model(path, info, build_networks(config).state_dict())
    return path
