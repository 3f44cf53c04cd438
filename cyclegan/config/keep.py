"""What a translation keeps of its photograph, as `--keep` and the headers of models say it."""

from dataclasses import dataclass
from typing import Literal

from cyclegan.errors import ConfigError
from cyclegan.text import printable

MIN_SIZE, MAX_SIZE = 16, 4096  # pixels
KEEP_HINT = "Write none, color, detail, or one of the last two with a size, as in detail=128."


@dataclass(frozen=True)
class Keep:
    """What a translation keeps of its photograph; see `inference.detail`."""

    mode: Literal["none", "detail", "color"] = "none"
    size: int | None = None  # pixels of the short side that the network sees; None: that of its training

    @property
    def is_active(self) -> bool:
        """Whether anything is kept."""
        return self.mode != "none"

    def describe(self) -> str:
        """Return for people what is kept."""
        what = "detail" if self.mode == "detail" else "brightness and detail"
        return f"the pictures keep their {what}: the network sees them at {self.size} px."

    def __str__(self) -> str:
        return self.mode if self.size is None else f"{self.mode}={self.size}"


def parse_keep(text: str) -> Keep:
    """Return what a text such as `detail=128` stands for; anything else is a `ConfigError`."""
    name, has_size, size = text.partition("=")
    if name == "none" and not has_size:
        return Keep()
    if name not in ("detail", "color"):
        raise ConfigError(f"{printable(text)!r} is nothing that a translation can keep.", KEEP_HINT)
    mode: Literal["detail", "color"] = "detail" if name == "detail" else "color"
    if not has_size:
        return Keep(mode)
    if not (size.isascii() and size.isdecimal() and MIN_SIZE <= int(size[:6]) <= MAX_SIZE):
        raise ConfigError(f"{printable(text)!r} needs a size of {MIN_SIZE} to {MAX_SIZE} pixels.", KEEP_HINT)
    return Keep(mode, int(size))
