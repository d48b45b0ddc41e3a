"""Seconds that were measured: their median, how far they spread, and what is done where that is far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

import numpy as np

NOISY = 0.1  # interquartile range over median from which a measurement is called noisy
# How often a noisy measurement is taken in all: on a busy machine, waiting for a quiet one would have
# no end.
ATTEMPTS = 3
Measurement = TypeVar("Measurement")


@dataclass(frozen=True)
class Speed:
    """Seconds of one run: median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Speed:
        """Of several runs."""
        return cls(*(float(value) for value in np.quantile(seconds, [0.5, 0.25, 0.75])))

    def less(self, seconds: float) -> Speed:
        """Without something that takes so long in each run; a tenth stays at least."""
        taken = min(seconds, 0.9 * self.median)
        return Speed(self.median - taken, self.low - taken, self.high - taken)

    def of_each(self, count: int) -> Speed:
        """Of each of so many things that a run does."""
        return Speed(self.median / count, self.low / count, self.high / count)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return (self.high - self.low) / self.median

    @property
    def noisy(self) -> bool:
        """Whether the middle half of the runs lies too far apart to trust the median."""
        return self.spread > NOISY


def steadiest(
    measure: Callable[[], Measurement],
    attempts: int = ATTEMPTS,
    spread: Callable[[Measurement], float] = attrgetter("spread"),
) -> Measurement:
    """Measure, again while it is noisy, so often at most; the one that spreads least.

    ``spread``: of a measurement, by default of a ``Speed``.
    """
    best = measure()
    for _ in range(attempts - 1):
        if spread(best) <= NOISY:
            break
        best = min(best, measure(), key=spread)
    return best


def noise(spreads: Iterable[float], fewer: str = "fewer --threads") -> str | None:
    """One line that says which of the measurements are noisy by their spreads; None where none is.

    ``fewer``: how to take fewer threads, what the line ends in.
    """
    known = list(spreads)
    noisy = sum(spread > NOISY for spread in known)
    if not noisy:
        return None
    return (
        f"{noisy} of {len(known)} measurements stayed noisy: half of their runs lie more than "
        f"{100 * NOISY:.0f} % apart; a quieter machine, or {fewer}, measures better"
    )
