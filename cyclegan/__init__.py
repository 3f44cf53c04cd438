"""Turn pictures of one kind into another, learned from two folders of unpaired pictures."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Translator", "__version__", "translate_folder"]

if TYPE_CHECKING:
    from cyclegan.translation import Translator, translate_folder


def __getattr__(name: str) -> Any:
    """Import a function or class when it is first used, so that `import cyclegan` loads no torch."""
    if name in ("Translator", "translate_folder"):
        import cyclegan.translation

        return getattr(cyclegan.translation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
