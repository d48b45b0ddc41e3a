"""How long things take beside each other: in turns, so that a machine that others use slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

WARM_UP, ROUNDS = 3, 30
NOISY = 0.1  # interquartile range over median from which a measurement is called noisy


@dataclass(frozen=True)
class Speed:
    """Seconds of one run: median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return (self.high - self.low) / self.median

    @property
    def noisy(self) -> bool:
        """Whether the middle half of the runs lies too far apart to trust the median."""
        return self.spread > NOISY


def side_by_side(
    runs: Mapping[str, Callable[[], object]], rounds: int = ROUNDS
) -> dict[str, Speed]:
    """Run each in turn, round after round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(WARM_UP + rounds):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - begun)
    return {
        name: Speed(*(float(value) for value in np.quantile(row, [0.5, 0.25, 0.75])))
        for name, row in seconds.items()
    }
