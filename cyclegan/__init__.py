"""Turn pictures of one kind into another, learned from two folders of unpaired pictures."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Translator", "__version__", "train", "translate_folder"]

if TYPE_CHECKING:
    from cyclegan.training.run import train_run as train
    from cyclegan.translation import Translator, translate_folder

LAZY_IMPORTS = {  # `import cyclegan` loads no torch
    "Translator": ("cyclegan.translation", "Translator"),
    "train": ("cyclegan.training", "train_run"),
    "translate_folder": ("cyclegan.translation", "translate_folder"),
}


def __getattr__(name: str) -> Any:
    if name in LAZY_IMPORTS:
        module, attribute = LAZY_IMPORTS[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
