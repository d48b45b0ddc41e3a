"""What an attack tried, and what fell."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 10


@dataclass
class Tally:
    """The count of one kind of attack.

    Attributes:
        name: the kind, in words.
        tried: attacks made.
        fallen: what did not hold, one line each, with what is needed to repeat it (seed, file).
    """

    name: str
    tried: int = 0
    fallen: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The count in one line, and the first things that fell."""
        held = f"{self.name}: {self.tried} tried, {len(self.fallen)} fell"
        return [held, *(f"    {line}" for line in self.fallen[:SHOWN])]
