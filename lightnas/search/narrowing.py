"""The btn of an option through which the relaxed problem may still beat what is known.

What an option is worth rises with btn up to its best one and falls beyond it, so these are a range,
and bisection finds both of its ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..arrays import Flags, Floats, Genomes
from .bound import Options, Relaxation


def trimmed(
    relaxation: Relaxation,
    i: int,
    options: Options,
    multipliers: Floats,
    best: tuple[Floats, Genomes],
    slack: Floats,
) -> Options:
    """The options with ranges of btn in which they are worth at most ``slack`` less than at their best.

    Args:
        relaxation: theirs.
        options: n of block i. Those of a score that is a quadratic in btn too (``gain``) stay as they
            are: it may rise at both ends.
        multipliers: shape (R,).
        best: what ``Relaxation.best`` says of the options at these multipliers.
        slack: shape (n,), not negative.
    """
    if len(options.gain) or not options.btn_high.any():
        return options
    value, at = best
    priced, lambdas = relaxation.priced(i, options, multipliers)
    q0, q1, q2 = lambdas @ priced.use
    n, step = priced.log_btn, float(relaxation.space.step)
    least = value - slack - (priced.reward - q0)

    def enough(btn: Genomes) -> Flags:
        b = btn * step
        enough: Flags = n * np.log(b) - (q1 + q2 * b) * b >= least
        return enough

    return replace(
        options,
        btn_low=at - _furthest(at - options.btn_low, lambda away: enough(at - away)),
        btn_high=at + _furthest(options.btn_high - at, lambda away: enough(at + away)),
    )


def _furthest(most: Genomes, holds: Callable[[Genomes], Flags]) -> Genomes:
    """The largest distance up to ``most``, (n,), at which something holds that holds at 0, and nowhere
    beyond the first place where it does not."""
    near, far = np.zeros_like(most), most
    while (near < far).any():
        middle = (near + far + 1) // 2
        inside = holds(middle)
        near, far = np.where(inside, middle, near), np.where(inside, far, middle - 1)
    return near
