"""Types and bounds of settings, and the check of each value against them."""

import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclegan.errors import ConfigError
from cyclegan.text import printable


@dataclass(frozen=True)
class Between:
    """Bounds of a number, both included."""

    low: float
    high: float = float("inf")

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high == float("inf") else f"between {self.low:g} and {self.high:g}"


Count = Annotated[int, Between(1, 10**9)]
Amount = Annotated[int, Between(0, 10**9)]
Weight = Annotated[float, Between(0, 10**6)]
Share = Annotated[float, Between(0, 1)]
Auto = Literal["auto"]

SPELLING_HINT = "Check the spelling."
MAX_SHOWN = 200  # characters of a value


class Section:
    """A section of settings, such as `DataConfig` for `data`; its constructor checks every value."""

    def __post_init__(self) -> None:
        section = type(self).__name__.removesuffix("Config").lower()
        for name, kind in typing.get_type_hints(type(self), include_extras=True).items():
            object.__setattr__(self, name, checked(f"{section}.{name}", kind, getattr(self, name)))


def is_encodable(text: str) -> bool:
    """Tell whether a text can be written as UTF-8; file names of other encodings cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def abbreviated(value: object) -> str:
    """Return a value for a message, shortened; Python cannot write every nesting and every number."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        return "something very long"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def checked(name: str, kind: Any, value: Any) -> Any:
    """Return the value if it has the annotated type and lies within its bounds; an int is accepted for a float."""
    if typing.get_origin(kind) is typing.Union:  # a number, or a word such as auto
        number, literal = typing.get_args(kind)
        (word,) = typing.get_args(literal)
        if isinstance(value, str) and value != word:
            raise ConfigError(f"{name} is {abbreviated(value)}; it must be a number or {word}.", "Correct the value.")
        return value if value == word else checked(name, number, value)
    if typing.get_origin(kind) is Annotated:
        kind, bounds = typing.get_args(kind)
        value = checked(name, kind, value)
        if not bounds.low <= value <= bounds.high:
            raise ConfigError(f"{name} is {abbreviated(value)}; it must be {bounds}.", "Correct the value.")
        return value
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ConfigError(
                f"{name} is {abbreviated(value)}; it must be {' or '.join(map(str, choices))}.", "Choose one."
            )
        return value
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 2**53 else float("inf")
    if kind is str and type(value) is str and not is_encodable(value):
        raise ConfigError(f"{name} is {printable(value)}, which is not valid Unicode.", "Rename it.")
    if type(value) is not kind:
        article = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}[kind.__name__]
        raise ConfigError(f"{name} is {abbreviated(value)}; it must be {article}.", "Correct the value.")
    return value
