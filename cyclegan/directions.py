"""The two directions of a cycle and their names; the only table of them."""

from typing import Literal, NamedTuple

DirectionName = Literal["a2b", "b2a"]


class Names(NamedTuple):
    """One direction, source -> target -> source, by the names that weights, settings and metrics use."""

    direction: DirectionName
    inverse: DirectionName
    source: str  # the domain, "a" or "b"
    target: str

    @property
    def discriminator(self) -> str:
        """The discriminator that scores the fakes of this direction."""
        return f"disc_{self.target}"


A2B = Names("a2b", "b2a", "a", "b")
B2A = Names("b2a", "a2b", "b", "a")
DIRECTIONS = (A2B, B2A)


def names_of(direction: DirectionName) -> Names:
    """Return the names of a direction."""
    return A2B if direction == "a2b" else B2A
