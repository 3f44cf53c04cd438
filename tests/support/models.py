"""Small models for tests."""

from pathlib import Path

from cyclegan.checkpoints.model_file import ModelInfo, save_model
from cyclegan.models import build_networks
from tests.support.states import tiny_config


def write_model(  # noqa: PLR0913 (each has a default)
    path: Path,
    *,
    architecture: str = "resnet",
    width: int = 4,
    blocks: int = 1,
    depth: object = "auto",
    data=None,
    **facts,
) -> Path:
    """Write a tiny model of horses and zebras, with weights large enough to change a picture visibly."""
    generator = {"architecture": architecture, "width": width, "blocks": blocks, "depth": depth}
    config = tiny_config({"generator": generator, "training": {"init_gain": 0.2}, "data": data or {}})
    networks = build_networks(config)
    info = ModelInfo(
        **{"domain_a": "horses", "domain_b": "zebras", "size": 32, "steps": 7, "averaged": True}
        | {"generator": config.resolved_generator, "discriminator": config.discriminator}
        | {"channels_a": config.data.channels_a, "channels_b": config.data.channels_b}
        | facts
    )
    weights = {
        f"{network_name}.{name}": tensor
        for network_name, network in networks.named_children()
        for name, tensor in network.state_dict().items()
    }
    save_model(path, info, weights)
    return path
