"""Kendall's tau against scipy's, and the intervals against what is known of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau

from lightnas.runs.correlation import agreement, by_chance, tau_b

# Few values, so that there are ties.
VALUES = arrays(float, st.shared(st.integers(2, 9), key="n"), elements=st.integers(0, 5))


@given(VALUES, VALUES)
def test_tau_b_is_scipys(x, y):
    expected = kendalltau(x, y).statistic
    assert float(tau_b(x, y)) == pytest.approx(expected, nan_ok=True)


def test_rows_are_taken_one_by_one():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 5, 7))
    assert tau_b(x, y) == pytest.approx(
        [kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    )


def test_a_perfect_order_is_1_with_any_resample():
    measured = np.linspace(0.1, 0.9, 12)[:, None] + np.array([0, 0.01, 0.02])
    assert agreement(range(12), measured, np.random.default_rng(0)) == (1, 1, 1)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_few_structures_tell_nothing(n):
    """As many orders of so few are the right one by chance."""
    measured = np.arange(float(n))[:, None].repeat(3, axis=1)
    assert agreement(range(n), measured, np.random.default_rng(0)) == (1, -1, 1)
    assert by_chance(measured, np.random.default_rng(0)) == (0, -1, 1)
    five = np.arange(5.0)[:, None].repeat(3, axis=1)
    assert agreement(range(5), five, np.random.default_rng(0)).low > 0
    assert by_chance(five, np.random.default_rng(0)).high < 1


def test_a_prediction_that_says_the_same_of_all_has_no_tau():
    assert (
        agreement([1.0] * 5, np.random.default_rng(0).random((5, 2)), np.random.default_rng(0))
        is None
    )


def test_chance_agrees_with_the_exact_distribution():
    """Of 6 structures without ties, |tau| >= 11/15 comes with probability 0.0556, 13/15 with 0.0167
    (Kendall's table), so the 2.5 % quantile is -11/15."""
    chance = by_chance(np.arange(6.0)[:, None], np.random.default_rng(1))
    assert (chance.low, chance.high) == (pytest.approx(-11 / 15), pytest.approx(11 / 15))


def test_the_interval_of_noise_holds_0_and_that_of_a_clear_order_does_not():
    rng = np.random.default_rng(2)
    noise = agreement(rng.random(12), rng.random((12, 3)), rng)
    assert noise.low < 0 < noise.high
    clear = agreement(range(12), np.arange(12.0)[:, None] + rng.normal(0, 1, (12, 3)), rng)
    assert clear.low > 0.3
