"""Pairs of labels and choices against all of them, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from lightnas.search.pairing import Pairing


@pytest.mark.parametrize("seed", range(20))
def test_pairs_above_a_threshold(seed):
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 6, 40)
    labels = np.round(rng.normal(size=40), 1)
    c_in = np.sort(rng.integers(0, 6, 30))
    ends = np.round(rng.normal(size=30), 1)
    need = float(rng.normal()) + 1e-6
    pairing = Pairing(at, labels, c_in, ends)
    joint = {(i, j): labels[i] + ends[j] for i in range(40) for j in range(30) if at[i] == c_in[j]}
    expected = {pair for pair, value in joint.items() if value > need}
    assert pairing.most == pytest.approx(max(joint.values()))
    pairs, every = pairing.best(need, 10_000)
    assert every and set(zip(*map(list, pairs), strict=True)) == expected
    few, every = pairing.best(need, 10)
    assert every == (len(expected) <= 10)
    if not every:
        kept = set(zip(*map(list, few), strict=True))
        assert len(kept) <= 10 and kept <= expected
        left_out = max((joint[pair] for pair in expected - kept), default=-np.inf)
        assert all(joint[pair] >= left_out - 1e-9 for pair in kept)


def test_pairs_come_in_parts():
    pairing = Pairing(np.zeros(3, int), np.array([0.0, 1.0, 2.0]), np.zeros(4, int), np.arange(4.0))
    first, second = pairing.lengths(3.5), pairing.lengths(1.5)
    parts = [pairing.between(np.zeros_like(first), first), pairing.between(first, second)]
    both = [pair for part in parts for pair in zip(*map(list, part), strict=True)]
    whole = pairing.between(np.zeros_like(second), second)
    assert len(both) == len(set(both)) and set(both) == set(zip(*map(list, whole), strict=True))
