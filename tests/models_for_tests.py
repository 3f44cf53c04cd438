"""Small trained-looking models for tests."""

from pathlib import Path

from cyclegan.models import build_networks, resolved
from cyclegan.runs import ModelInfo, save_model
from tests.training.games import tiny_config


def write_model(path: Path, *, architecture: str = "resnet", depth: int = 0, **facts) -> Path:
    """Write a tiny model of horses and zebras, with weights large enough to change a picture visibly."""
    spec = {"architecture": architecture, "width": 4, "blocks": 1 if architecture == "resnet" else 0, "depth": depth}
    config = tiny_config({"generator": spec, "game": {"init_gain": 0.2}})
    networks = build_networks(config)
    info = ModelInfo(
        **{"domain_a": "horses", "domain_b": "zebras", "size": 32, "steps": 7, "averaged": True}
        | {"generator": resolved(config)}
        | facts
    )
    weights = {
        f"{way}.{name}": tensor
        for way in ("a2b", "b2a")
        for name, tensor in getattr(networks, way).state_dict().items()
    }
    save_model(path, info, weights)
    return path
