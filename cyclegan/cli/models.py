"""The model that a command uses, as a message and as JSON values."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan.cli.console import Console
from cyclegan.text import counted, printable

if TYPE_CHECKING:
    from cyclegan.checkpoints.model_file import ModelInfo
    from cyclegan.directions import DirectionName


def tell_model(path: Path, info: "ModelInfo", direction: "DirectionName", console: Console) -> None:
    """Print the model and its direction."""
    from cyclegan.checkpoints.find import model_name

    source, target = info.domains(direction)
    steps = f"{counted(info.steps_of(direction), 'step')} trained" if info.steps else "imported"
    domains = f"{printable(source)} to {printable(target)} ({direction})"
    console.tell(f"Model: {printable(model_name(path))}, {domains}, {steps}, from {printable(path)}")


def step_facts(info: "ModelInfo") -> dict[str, Any]:
    """Return the training steps of a model, and of each direction, as JSON values."""
    return {"steps": info.steps, "steps_a2b": info.steps_of("a2b"), "steps_b2a": info.steps_of("b2a")}


def model_facts(path: Path, info: "ModelInfo", direction: "DirectionName") -> dict[str, Any]:
    """Return the model and its direction as JSON values."""
    from cyclegan.checkpoints.find import model_name

    return {"model": str(path), "name": model_name(path), "steps": info.steps_of(direction), "direction": direction}
