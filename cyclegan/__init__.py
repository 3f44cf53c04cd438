"""Turn pictures of one kind into another, learned from two folders of unpaired pictures."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Translator", "__version__", "train"]

if TYPE_CHECKING:
    from cyclegan.training.run import run as train
    from cyclegan.translation import Translator

EXPORTS = {  # name -> its module, and its name there
    "Translator": ("cyclegan.translation", "Translator"),
    "train": ("cyclegan.training", "run"),
}


def __getattr__(name: str) -> Any:
    """Import a function or class when it is first used, so that `import cyclegan` loads no torch."""
    if name not in EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = EXPORTS[name]
    return getattr(import_module(module), attribute)
