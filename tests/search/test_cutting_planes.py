"""The lowest point of what tangents say, against scipy's solver."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from lightnas.search.cutting_planes import CuttingPlanes


def lowest_by_linprog(values, slopes, most):
    rows = np.hstack([slopes, -np.ones((len(values), 1))])
    bounds = [(0, limit) for limit in most] + [(None, None)]
    found = linprog([0.0] * len(most) + [1.0], A_ub=rows, b_ub=-values, bounds=bounds)
    return found.fun


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.booleans())
def test_tangents_of_random_functions(seed, n, whole):
    """The largest of hidden planes, met one by one where what is known of them is lowest."""
    rng = np.random.default_rng(seed)
    most = 10 ** rng.uniform(0, 3, n)
    slopes = rng.normal(size=(30, n)) * 10 ** rng.uniform(-2, 1)
    values = rng.normal(size=30) * 1000
    if whole:  # many ties
        slopes, values = np.round(slopes), np.round(values / 100)
    planes, x, met = CuttingPlanes(most), rng.uniform(0, 1, n) * most, []
    for _ in range(20):
        met.append(int(np.argmax(values + slopes @ x)))
        planes.add(values[met[-1]], slopes[met[-1]])
        found = planes.lowest()
        if found is None:  # too ill-conditioned: nothing is claimed
            return
        x, lowest = found
        assert ((x >= 0) & (x <= most)).all()
        assert lowest == pytest.approx(lowest_by_linprog(values[met], slopes[met], most), rel=1e-9)
        if lowest >= (values + slopes @ x).max() - 1e-9 * abs(lowest):
            return


def test_a_valley():
    planes = CuttingPlanes(np.array([10.0]))
    planes.add(0.0, np.array([1.0]))
    assert planes.lowest() == (pytest.approx([0.0]), pytest.approx(0.0))
    planes.add(6.0, np.array([-2.0]))
    x, value = planes.lowest()
    assert x == pytest.approx([2.0]) and value == pytest.approx(2.0)


def test_a_slope_beyond_the_range_ends_at_its_edge():
    planes = CuttingPlanes(np.array([3.0, 5.0]))
    planes.add(1.0, np.array([-1.0, 2.0]))
    x, value = planes.lowest()
    assert x == pytest.approx([3.0, 0.0]) and value == pytest.approx(-2.0)
