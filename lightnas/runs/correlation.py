"""Kendall's rank correlation (tau-b, Kendall 1945) between what a score says and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Floats

RESAMPLES = 10_000
LEVEL = 0.95
# Of fewer structures one order in 24 is the right one: even a tau of 1 is within what chance gives.
FEWEST = 5


class Tau(NamedTuple):
    """A rank correlation, -1 to 1, and the ends of its 95 % interval."""

    tau: float
    low: float
    high: float


def tau_b(x: ArrayLike, y: ArrayLike) -> Floats:
    """Kendall's tau-b of rows of values, both of shape (..., n); NaN where either is constant.

    Pairs that are tied in x or in y count as scipy's ``kendalltau`` counts them.
    """
    left, right = (_signs(np.asarray(values, float)) for values in (x, y))
    concordance = (left * right).sum(axis=(-2, -1), dtype=float)
    pairs = [(signs != 0).sum(axis=(-2, -1), dtype=float) for signs in (left, right)]
    with np.errstate(invalid="ignore"):
        taus: Floats = concordance / np.sqrt(pairs[0] * pairs[1])
    return taus


def _signs(values: Floats) -> Floats:
    """Sign of the difference of every pair, shape (..., n, n)."""
    signs: Floats = np.sign(values[..., :, None] - values[..., None, :])
    return signs.astype(np.int8)


def agreement(predicted: Sequence[float], measured: Floats, rng: np.random.Generator) -> Tau | None:
    """Tau-b of a prediction and the mean of several measurements, with a bootstrap interval; None
    where the prediction says the same of all, or all were measured alike.

    Both what was measured and its seeds are drawn anew, with replacement: structures, and of each
    its runs (the percentile bootstrap, Efron 1979). Of fewer than ``FEWEST`` structures the interval is
    -1 to 1, since drawing two of them anew gives back their own order whatever it is worth.

    Args:
        predicted: one value for each of n structures.
        measured: of every structure and seed, shape (n, seeds).
    """
    values = np.asarray(predicted, float)
    n, seeds = measured.shape
    tau = float(tau_b(values, measured.mean(axis=1)))
    if not np.isfinite(tau):
        return None
    if n < FEWEST:
        return Tau(tau, -1.0, 1.0)
    # One draw of seeds for each structure: drawn twice, it is tied with itself.
    runs = rng.integers(seeds, size=(RESAMPLES, n, seeds))
    means = measured[np.arange(n)[:, None], runs].mean(axis=2)
    rows = rng.integers(n, size=(RESAMPLES, n))
    drawn = tau_b(values[rows], np.take_along_axis(means, rows, axis=1))
    low, high = _interval(drawn[np.isfinite(drawn)])
    return Tau(tau, low, high)


def by_chance(measured: Floats, rng: np.random.Generator) -> Tau | None:
    """What a prediction without any knowledge gives: tau of random orders, its mean 0 and 95 %
    interval; ``measured`` has shape (n, seeds), as for ``agreement``."""
    means = measured.mean(axis=1)
    orders = rng.random((RESAMPLES, len(means)))
    drawn = tau_b(orders, np.broadcast_to(means, orders.shape))
    if not np.isfinite(drawn).all():
        return None
    return Tau(0.0, *_interval(drawn))


def _interval(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
