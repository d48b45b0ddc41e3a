"""Where a convex function that is known by its tangents is lowest: Kelley's model, solved as tangents come.

The model is a linear program in x and its value t, with n + 1 unknowns:

    minimise t    where t >= value_k + slope_k . x for every tangent k,   0 <= x <= most

A new tangent leaves the last solution dual feasible, so the dual simplex method goes on from it (Lemke
1954): a few exchanges of one of n + 1 constraints each, which is far less work than a solver that
begins anew, and nothing has to be imported.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats

# A constraint that is violated by less than this share of what it says holds.
TOLERANCE = 1e-12
# Exchanges after a new tangent, for each unknown, before the model counts as too ill-conditioned.
EXCHANGES = 50


class CuttingPlanes:
    """A convex function of n variables between 0 and ``most``, by the tangents met so far.

    Attributes:
        most: the largest x, (n,).
    """

    def __init__(self, most: Floats) -> None:
        self.most = most
        n = len(most)
        # Constraints row . (x, t) >= least: x >= 0, then -x >= -most, then the tangents.
        self._rows = np.hstack([np.vstack([np.eye(n), -np.eye(n)]), np.zeros((2 * n, 1))])
        self._least = np.concatenate([np.zeros(n), -most])
        self._basis: list[int] = []

    def add(self, value: float, slope: Floats) -> None:
        """One more tangent: the function is at least value + slope . x, with slope (n,)."""
        n = len(self.most)
        self._rows = np.vstack([self._rows, [*-slope, 1.0]])
        self._least = np.append(self._least, value)
        if not self._basis:  # the lowest corner of the first tangent
            self._basis = [r if slope[r] >= 0 else n + r for r in range(n)] + [2 * n]

    def lowest(self) -> tuple[Floats, float] | None:
        """The x, (n,), where the model is lowest, and its value there; at least one tangent is known.

        None where the model is too ill-conditioned to be solved; it may be again with more tangents.
        """
        size = len(self._basis)
        goal = np.append(np.zeros(size - 1), 1.0)
        with np.errstate(all="ignore"):
            for _ in range(EXCHANGES * size):
                held = self._rows[self._basis]
                try:
                    point = np.linalg.solve(held, self._least[self._basis])
                    prices = np.linalg.solve(held.T, goal)
                    missing = self._least - self._rows @ point
                    scale = np.abs(self._rows) @ np.abs(point) + np.abs(self._least)
                    missing -= TOLERANCE * scale
                    missing[self._basis] = 0.0
                    enters = int(np.argmax(missing))
                    if not np.isfinite(missing).all():
                        return None
                    if missing[enters] <= 0:
                        return np.clip(point[:-1], 0.0, self.most), float(point[-1])
                    shares = np.linalg.solve(held.T, self._rows[enters])
                except np.linalg.LinAlgError:
                    return None
                can = np.flatnonzero(shares > TOLERANCE)
                if not len(can):
                    return None
                leaves = can[np.argmin(np.maximum(prices[can], 0.0) / shares[can])]
                self._basis[leaves] = enters
        return None
