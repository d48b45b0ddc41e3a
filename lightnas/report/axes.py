"""Axes of a chart: where a value lies on it, and the round numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

# Values no farther apart are one: a step between them would be no number any more.
SAME = 1e-300


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high``, laid from ``start`` to ``end``, which are pixels or percent.

    Attributes:
        ticks: round numbers from ``low`` to ``high``, each with its text.
        log: equal steps are equal ratios; 0, which is on no such scale, stands at ``start``.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value lies."""
        low, high = self.low, self.high
        if self.log:
            if value <= 0:
                return self.start
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 2)

    def beyond(self, value: float) -> int:
        """-1 for a value below ``low``, 1 for one above ``high``, else 0."""
        return (value > self.high) - (value < self.low and not (self.log and value == 0))

    def held(self, value: float) -> float:
        """The nearest value that lies on it."""
        return min(max(value, self.low), self.high)


def axis(
    values: Iterable[float],
    start: float,
    end: float,
    most: int = 8,
    within: tuple[float, float] | None = None,
    to_ticks: bool = False,
) -> Axis:
    """An axis over all the values.

    Args:
        values: finite ones, at least one.
        start, end: where its ends lie.
        most: so many steps from one tick to the next at most; whole numbers have none between them.
        within: its ends, instead of the smallest and the largest value.
        to_ticks: it ends on ticks, beyond the values.
    """
    values = list(values)
    low, high = within or (min(values), max(values))
    if high - low <= SAME:  # a single value stands in the middle
        half = max(0.5, 1e-9 * abs(low))
        low, high = low - half, high + half
    step = round_step((high - low) / most)
    if all(value == round(value) for value in values):
        step = max(step, 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if to_ticks:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        low, high = first * step, last * step
    ticks = tuple((n * step, _text(n * step, step)) for n in range(first, last + 1))
    return Axis(low, high, start, end, ticks)


def log_axis(values: Iterable[float], start: float, end: float, to_ticks: bool = False) -> Axis:
    """An axis whose equal steps are equal ratios, with 1, 2 and 5 times powers of ten as ticks, or
    powers alone where those are enough.

    Args:
        values: finite ones of 0 or more, at least one; where 0 is among them it is the lowest tick.
        start, end, to_ticks: as for ``axis``.
    """
    values = list(values)
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    if math.log(high) - math.log(low) < 1e-6:  # a single value stands in the middle
        low, high = low / 2, high * 2
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    every = max(1, math.ceil((last - first) / 8))
    factors: tuple[float, ...] = (1, 2, 5) if last - first < 4 else (1,)
    if high / low < 20:
        factors = (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [factor * 10.0**power for power in range(first, last + 1, every) for factor in factors]
    if to_ticks:
        low = max((tick for tick in ticks if tick <= low * (1 + 1e-8)), default=low)
        high = min((tick for tick in ticks if tick >= high * (1 - 1e-8)), default=high)
    shown = [tick for tick in ticks if low * (1 - 1e-8) <= tick <= high * (1 + 1e-8)]
    named = [(tick, f"{tick:g}") for tick in shown]
    if 0 in values:
        low = low / 10
        named = [(low, "0"), *named]
    return Axis(low, high, start, end, tuple(named), log=True)


def _text(value: float, step: float) -> str:
    """A tick's number with the digits of the step; short where it is huge or tiny."""
    digits = max(0, -math.floor(math.log10(step)))
    return f"{value:,.{digits}f}" if digits < 10 and abs(value) < 1e12 else f"{value:.6g}"


def round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``least``."""
    power = math.floor(math.log10(least))
    steps = (factor * 10.0**exponent for exponent in count(power) for factor in (1, 2, 5))
    return next(step for step in steps if step >= least * (1 - 1e-9))
