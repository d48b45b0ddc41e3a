"""How long things take beside each other: in turns, so that a machine that others use slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..latency.speed import ATTEMPTS, Speed, steadiest

WARM_UP, ROUNDS = 3, 30


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
    return {name: Speed.of(row) for name, row in seconds.items()}


def steadily(
    runs: Mapping[str, Callable[[], object]], rounds: int = ROUNDS, attempts: int = ATTEMPTS
) -> dict[str, Speed]:
    """``side_by_side``, again while one of them is noisy, so often at most; all rows are of one attempt,
    since they are compared."""

    def worst(row: Mapping[str, Speed]) -> float:
        return max(speed.spread for speed in row.values())

    return steadiest(lambda: side_by_side(runs, rounds), attempts, worst)
