"""Turn pictures of one kind into another, learned from two folders of unpaired pictures."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Translator", "__version__"]

if TYPE_CHECKING:
    from cyclegan.translation import Translator


def __getattr__(name: str) -> Any:
    """Import the translator when it is first asked for, so that `import cyclegan` loads no torch."""
    if name == "Translator":
        from cyclegan.translation import Translator

        return Translator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
